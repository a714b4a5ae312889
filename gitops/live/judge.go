package live

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
)

// Times of the audit: it rests for as much longer than it took as others need.
const (
	auditRest  = 100 * time.Millisecond
	auditShare = 4
	// auditWait is how long admission waits for the rules to be compiled at all.
	auditWait = 5 * time.Second
)

// rulebook is what admission and the audit share with who watches.
type rulebook struct {
	dirty   map[string]*unstructured.Unstructured // ConfigMaps that came or changed; nil: gone
	fetched map[string]fetchedSet                 // of registries, by reference
	config  *syntax.Config                        // of what was compiled last; nil: nothing was
	faults  []ruleFault
	found   diag.List // by rules, about what is in force
	news    bool      // these are others
}

// wholeKinds are the kinds of which the compiler has the objects as they are written;
// of what runs it has what it relies on.
func wholeKinds() []string {
	out := make([]string, 0, len(kinds))
	for _, k := range kinds {
		out = append(out, k.name)
	}
	return out
}

// audit judges what is in force by the rules, again whenever it or they are others,
// until ctx ends. What it finds takes nothing out of force.
func (l *Live) audit(ctx context.Context) {
	first := true
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.unjudged:
		}
		began := time.Now()
		l.auditOnce()
		if first {
			close(l.ruled)
			first = false
		}
		rest := time.NewTimer(max(auditRest, auditShare*time.Since(began)))
		select {
		case <-ctx.Done():
		case <-rest.C:
		}
		rest.Stop()
	}
}

func (l *Live) auditOnce() {
	l.mu.Lock()
	config := l.rulebook.config
	l.mu.Unlock()
	l.takeRules(config)
	judge, settings := l.book.Judge(config)
	found := l.auditor.Audit(judge)
	faults := l.ruleFaults()
	all := append(settings, found...)
	for _, f := range faults {
		for _, one := range f.found {
			one.Locations = []diag.Location{{Span: diag.Span{File: source.ConfigName}}}
			one.Path = ""
			all = append(all, one)
		}
	}
	l.mu.Lock()
	l.rulebook.faults, l.rulebook.found, l.rulebook.news = faults, all, true
	l.mu.Unlock()
	l.wake()
}

// audited is what the audit found, and whether that is news to the loop.
func (l *Live) audited() (diag.List, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	news := l.rulebook.news
	l.rulebook.news = false
	return l.rulebook.found, news
}

// judged is what the compiler and the rules find with changes. Before the rules were
// compiled for the first time nobody can tell.
func (l *Live) judged(whole []*syntax.Object, changes ...compiler.Change) (diag.List, bool) {
	late := time.NewTimer(auditWait)
	defer late.Stop()
	select {
	case <-l.ruled:
	case <-late.C:
		return nil, false
	}
	return l.auditor.Try(whole, changes...), true
}
