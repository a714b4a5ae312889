package live

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
)

// seen is of an object what its document does not say.
type seen struct {
	uid         string
	generation  int64
	requestedAt string
}

func seenOf(u *unstructured.Unstructured) seen {
	return seen{uid: string(u.GetUID()), generation: u.GetGeneration(), requestedAt: u.GetAnnotations()[requestedAt]}
}

// state is what a policy object came to.
type state struct {
	seen
	refused bool      // what it says is not in force
	over    bool      // it was for a while, which is over
	stale   bool      // an earlier form of it is
	form    []byte    // that form
	found   diag.List // errors of what is refused, else what is worth knowing of what is in force
}

// states are those of all policy objects, of which the loop tells the writer.
type states struct {
	all     map[syntax.Name]state
	changed map[syntax.Name]bool
	shown   map[string]string // the codes of what was found, by path
}

// note takes what became of edits: of the objects edited, of those that wait, and of
// those about which something else is found.
func (l *Live) note(d dirty, out outcome) {
	about := map[string]diag.List{}
	take := func(file string, f diag.Finding) {
		if f.Counts() && f.Severity >= diag.Warning {
			about[file] = append(about[file], f)
		}
	}
	for _, f := range out.found {
		take(f.At().File, f)
	}
	for _, f := range l.rulings {
		file := f.At().File
		if name, ok := l.policy.paths[file]; !ok || !isPolicy(name) {
			file = source.ConfigName // what runs has no status of ours
		}
		take(file, f)
	}
	names := map[syntax.Name]bool{}
	maps.Copy(names, l.policy.waiting)
	for name := range d.objects {
		names[name] = true
	}
	shown := map[string]string{}
	for path, found := range about {
		shown[path] = digestOf(found)
	}
	for _, path := range append(slices.Collect(maps.Keys(shown)), slices.Collect(maps.Keys(l.told.shown))...) {
		if name, ok := l.policy.paths[path]; ok && shown[path] != l.told.shown[path] {
			names[name] = true
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for name := range l.told.all { // those that were put back and are not any more
		if l.told.all[name].refused {
			names[name] = true
		}
	}
	l.told.shown = shown
	for name := range names {
		if isPolicy(name) {
			l.noteOne(name, d.objects[name], about)
		}
	}
}

func (l *Live) noteOne(name syntax.Name, u *unstructured.Unstructured, about map[string]diag.List) {
	o := l.policy.objects[name]
	before, had := l.told.all[name]
	if o == nil || o.wanted == nil || u == nil && !had {
		delete(l.told.all, name)
		l.told.changed[name] = true
		return
	}
	now := state{seen: before.seen}
	if u != nil {
		now.seen = seenOf(u)
	}
	if l.policy.waiting[name] {
		now.refused, now.found = true, o.found
		if o.accepted != nil && bytes.Equal(o.forced, o.accepted) {
			now.stale, now.form = true, o.accepted
		}
	} else {
		now.found = about[o.path]
	}
	now.over = l.endings.isOver(name, now.uid)
	if had && before.seen == now.seen && before.over == now.over && before.refused == now.refused && before.stale == now.stale && digestOf(before.found) == digestOf(now.found) {
		return
	}
	l.told.all[name], l.told.changed[name] = now, true
}

// digestOf tells lists of findings apart.
func digestOf(found diag.List) string {
	var out string
	for _, f := range found {
		out += fmt.Sprintf("%s %s %s\n", f.Code, f.Path, f.Message)
	}
	return out
}
