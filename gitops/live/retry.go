package live

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/syntax"
)

// Objects that were kept out are tried again when something else has changed, a few at
// a time: whoever has a thousand faulty ones must not make others wait for a change.
const (
	triesWithin = 8  // together with a change, of the namespaces that it is in
	triesAlone  = 16 // when nothing else is to be done
	// triesShare: of the time that tries take this much more is left to others.
	triesShare = 4
	triesPause = 20 * time.Millisecond // at least
)

// due are objects that wait and were not tried since something changed, those first
// that were not for longest; of some namespaces, or of all where these are nil.
func (p *policy) due(spaces map[string]bool, most int) []syntax.Name {
	var out []syntax.Name
	for name := range p.waiting {
		// The configuration rests on nothing else.
		if name.Kind != meshKind && p.objects[name].tried < p.changed && (spaces == nil || spaces[name.Namespace]) {
			out = append(out, name)
		}
	}
	slices.SortFunc(out, func(a, b syntax.Name) int {
		return cmp.Or(cmp.Compare(p.objects[a].tried, p.objects[b].tried), cmp.Compare(p.objects[a].path, p.objects[b].path))
	})
	return out[:min(most, len(out))]
}

// moved notes that something changed, with which these objects were tried.
func (p *policy) moved(with []syntax.Name) {
	p.clock++
	p.changed = p.clock
	for _, name := range with {
		if o := p.objects[name]; o != nil {
			o.tried = p.clock
		}
	}
}

// retry lets objects in that were kept out, where nothing speaks against them any more.
// Of those that fit each alone and not together, the first by name comes in. The answer
// is whether anything was compiled.
func (p *policy) retry(names []syntax.Name) bool {
	slices.SortFunc(names, func(a, b syntax.Name) int { return cmp.Compare(p.objects[a].path, p.objects[b].path) })
	var changes []compiler.Change
	var fit []syntax.Name
	for _, name := range names {
		if p.fits(name) {
			fit = append(fit, name)
			changes = append(changes, p.force(name, p.objects[name], p.objects[name].wanted)...)
		}
	}
	if len(fit) == 0 {
		return false
	}
	p.last = p.settle(changes)
	for _, name := range fit {
		if len(fit) > 1 && p.waiting[name] && p.last.result.Plan != nil && p.fits(name) {
			p.last = p.settle(p.force(name, p.objects[name], p.objects[name].wanted))
		}
	}
	if slices.ContainsFunc(fit, func(name syntax.Name) bool { return !p.waiting[name] }) {
		p.moved(nil) // others may rest on it
	}
	return true
}

// fits tells whether what an object says could be in force, and notes why not.
func (p *policy) fits(name syntax.Name) bool {
	o := p.objects[name]
	p.clock++
	o.tried = p.clock
	mine := errorsIn(p.session.Try(compiler.Change{Path: o.path, Data: o.wanted, Object: &name}))
	if about := of(mine, o.path); len(about) > 0 {
		o.found = about
	}
	return len(mine) == 0
}

// vouch notes whether the cluster says of an object as it is wanted that it is in
// force. It is what replicas agree by.
func (p *policy) vouch(e edit) {
	if o := p.objects[e.name]; o != nil && bytes.Equal(o.wanted, e.data) {
		o.vouched = e.vouched
	}
}

// retryDue tries some of what waits, if it is time; the answer is when it is next,
// zero where nothing waits.
func (l *Live) retryDue(now time.Time) time.Time {
	names := l.policy.due(nil, triesAlone)
	if len(names) == 0 || suspended(l.mesh()) || l.policy.last.result == nil || l.policy.last.result.Plan == nil {
		return time.Time{}
	}
	if now.Before(l.nextTry) {
		return l.nextTry
	}
	came := l.policy.retry(names)
	if came {
		l.publish(l.policy.last)
	}
	if l.note(newDirty(), l.policy.last); came {
		l.tell()
	}
	end := time.Now()
	l.nextTry = end.Add(max(triesPause, triesShare*end.Sub(now)))
	return l.nextTry
}
