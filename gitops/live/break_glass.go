package live

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/meshc/meshc/compiler/syntax"
)

const glassKind = "BreakGlass"

// lookAgain bounds how long a clock is trusted to go on as it did: one that is set
// forward must not keep open what is over by it.
const lookAgain = time.Second

// endings knows which BreakGlass objects are over: by this replica's clock, by who ended
// them, or because the leader has said so. What was over once stays over, however clocks
// differ. Each replica ends by itself; no other, and no API server, is needed for it.
type endings struct {
	now func() time.Time

	mu   sync.Mutex
	open map[syntax.Name]*unstructured.Unstructured // those that are not over
	over map[syntax.Name]types.UID                  // of those that are, whose uid
}

func newEndings(now func() time.Time) *endings {
	return &endings{now: now, open: map[syntax.Name]*unstructured.Unstructured{}, over: map[syntax.Name]types.UID{}}
}

// endOf is when an object says that it ends; one that says nothing that can be read is
// over already.
func endOf(u *unstructured.Unstructured) time.Time {
	text, _, _ := unstructured.NestedString(u.Object, "spec", "until")
	end, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}
	}
	return end
}

// judge notes an object as it came, nil as it went, and tells whether it is over.
func (e *endings) judge(name syntax.Name, u *unstructured.Unstructured) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if u == nil {
		delete(e.open, name)
		delete(e.over, name)
		return true
	}
	uid, over := e.over[name]
	over = over && uid == u.GetUID()
	by, _, _ := unstructured.NestedString(u.Object, "spec", "endedBy")
	at, _, _ := unstructured.NestedString(u.Object, "status", "endedAt")
	if over = over || by != "" || at != "" || !e.now().Before(endOf(u)); over {
		e.over[name] = u.GetUID()
		delete(e.open, name)
		return true
	}
	e.open[name] = u
	return false
}

// next is when to look again; zero: nothing is open.
func (e *endings) next() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	var first time.Time
	for _, u := range e.open {
		if end := endOf(u); first.IsZero() || end.Before(first) {
			first = end
		}
	}
	if latest := e.now().Add(lookAgain); first.After(latest) {
		return latest
	}
	return first
}

// due are the objects that are open and whose end has come.
func (e *endings) due() map[syntax.Name]*unstructured.Unstructured {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := map[syntax.Name]*unstructured.Unstructured{}
	for name, u := range e.open {
		if !e.now().Before(endOf(u)) {
			out[name] = u
		}
	}
	return out
}

// isOpen tells whether an object was open when it was judged last, and its end has not come.
func (e *endings) isOpen(name syntax.Name) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	u := e.open[name]
	return u != nil && e.now().Before(endOf(u))
}

// lent is the uid of what is open, as far as it was judged, empty if nothing is.
func (e *endings) lent(name syntax.Name) types.UID {
	e.mu.Lock()
	defer e.mu.Unlock()
	if u := e.open[name]; u != nil {
		return u.GetUID()
	}
	return ""
}

// isOver tells whether an object was over when it was judged last.
func (e *endings) isOver(name syntax.Name, uid string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	was, over := e.over[name]
	return over && was == types.UID(uid)
}

// glassDocument adds to a document of a BreakGlass what the compiler reads of it beside
// its spec: since when it is there, and whether it is over.
func (l *Live) glassDocument(name syntax.Name, u *unstructured.Unstructured, doc map[string]any) {
	doc["metadata"].(map[string]any)["creationTimestamp"] = u.GetCreationTimestamp().UTC().Format(time.RFC3339)
	if l.endings.judge(name, u) {
		doc["status"] = map[string]any{"endedAt": endOf(u).UTC().Format(time.RFC3339)}
	}
}

// expire takes what has come to its end for changed, and tells whether anything has.
func (l *Live) expire() bool {
	due := l.endings.due()
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, u := range due {
		if _, newer := l.dirty.objects[name]; !newer {
			l.dirty.objects[name] = u
		}
	}
	return len(due) > 0
}

// takeNext takes what is to be compiled next, and what ends among it: where changes never
// end nobody else comes to end what was lent.
func (l *Live) takeNext() dirty {
	l.expire()
	return l.take(false)
}

// takeClosed takes of what changed only what closes: a Mesh that is suspended holds what
// is in force, and not what was lent for a while.
func (l *Live) takeClosed() dirty {
	l.expire()
	l.mu.Lock()
	defer l.mu.Unlock()
	out := newDirty()
	for name, u := range l.dirty.objects {
		if name.Kind != glassKind {
			continue
		}
		before := l.endings.lent(name)
		over := l.endings.judge(name, u) // also of one that opens nothing: it is not to be due again
		switch o := l.policy.objects[name]; {
		case o == nil || o.forced == nil: // nothing of it is open
		case over:
			out.objects[name] = u
			delete(l.dirty.objects, name)
		case before != "" && before != u.GetUID(): // deleted, and made again as another: that waits
			out.objects[name] = nil
		}
	}
	return out
}

// close compiles what closes while the Mesh is suspended, and serves that.
func (l *Live) close() {
	d := l.takeClosed()
	if len(d.objects) == 0 {
		return
	}
	if l.compile(d) {
		l.tell()
	}
}
