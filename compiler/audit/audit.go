// Package audit judges by rules in Rego what a session compiles: each state when it is
// in force, beside who compiles, and changes before they are made. A slow rule holds up
// neither the other. It also keeps the rule sets themselves: one with a fault leaves
// the last accepted form of it in force. It knows no clusters.
package audit

import (
	"maps"
	"sync"
	"time"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/compiler/waive"
	"github.com/meshc/meshc/policies"
)

// Auditor follows a session. It is safe for concurrent use.
type Auditor struct {
	// Wall is how long rules may judge a change; a second if nobody sets it.
	Wall time.Duration

	session *compiler.Session
	kinds   []string

	told struct {
		sync.Mutex
		edit    syntax.Edit // that the rules were not told of
		next    policies.State
		waivers []syntax.Waiver
		any     bool
	}

	judging sync.Mutex
	anew    bool            // all is being judged anew
	took    time.Duration   // the longest that it took to judge an edit
	late    time.Time       // when rules of the wider scopes took too long for a change
	judge   *policies.Judge // nil: nothing was judged yet
	state   policies.State  // that the rules know, without Edit
	rules   *policies.Session
	found   diag.List // of that state
	waivers []syntax.Waiver
}

// New follows a session that was made without rules. kinds are those of which it has
// the objects whole: rules of scope object judge states by these alone.
func New(session *compiler.Session, kinds []string) *Auditor {
	return &Auditor{Wall: wall, session: session, kinds: kinds}
}

// Compiled notes what the session came to. edit is all that changed since the last
// time: that of the result, and of those before it that were not noted.
func (a *Auditor) Compiled(r *compiler.Result, edit syntax.Edit, now time.Time) {
	a.told.Lock()
	defer a.told.Unlock()
	if a.told.edit == nil {
		a.told.edit = syntax.Edit{}
	}
	maps.Copy(a.told.edit, edit)
	// A day is a day whatever the hour: what was judged holds until the next.
	day := now.UTC().Truncate(24 * time.Hour)
	a.told.next = policies.State{Files: a.session.Files, Config: r.Config, Mesh: r.Mesh, Inventory: r.Inventory, Now: day}
	a.told.waivers, a.told.any = r.Waivers, true
}

// take is the newest state, and whether it is another than the last that was taken.
func (a *Auditor) take() (policies.State, []syntax.Waiver, bool) {
	a.told.Lock()
	defer a.told.Unlock()
	next, any := a.told.next, a.told.any
	next.Edit = a.told.edit
	a.told.edit, a.told.any = nil, false
	return next, a.told.waivers, any
}

// Audit judges what is in force. The findings have the severities of the stage live;
// none of them takes anything out of force. One goroutine may call it at a time.
func (a *Auditor) Audit(judge *policies.Judge) diag.List {
	a.judging.Lock()
	if a.judge == judge && a.took < quick && a.catchUp() {
		defer a.judging.Unlock()
		return a.weighed(a.found, a.waivers)
	}
	if a.judge != judge {
		a.took = 0
	}
	a.anew = true // changes are judged as before until then
	a.judging.Unlock()
	next, waivers, _ := a.take()
	if next.Files == nil {
		return nil
	}
	rules := &policies.Session{}
	section := rules.Mesh(judge.Of(a.kinds...), next, policies.Live)
	a.judging.Lock()
	defer a.judging.Unlock()
	a.judge, a.rules, a.waivers, a.anew = judge, rules, waivers, false
	a.keep(next, section)
	return a.weighed(a.found, a.waivers)
}

func (a *Auditor) keep(state policies.State, section *diag.Section) {
	state.Edit = nil
	a.state, a.found = state, diag.All([]*diag.Section{section}).Sorted()
}

// catchUp tells the rules what the session came to; false where all is to be judged
// anew, which takes long.
func (a *Auditor) catchUp() bool {
	if a.anew || a.rules == nil || a.rules.Judge() == nil {
		return false
	}
	next, waivers, any := a.take()
	if !any {
		return true
	}
	by := a.rules.Judge()
	if !a.rules.Follows(by, next) {
		a.putBack(next.Edit)
		return false
	}
	began := time.Now()
	a.waivers = waivers
	a.keep(next, a.rules.Mesh(by, next, policies.Live))
	a.took = max(a.took, time.Since(began))
	return a.rules.Judge() != nil
}

// putBack leaves what was taken to who judges all anew.
func (a *Auditor) putBack(edit syntax.Edit) {
	a.told.Lock()
	defer a.told.Unlock()
	all := maps.Clone(edit)
	if all == nil {
		all = syntax.Edit{}
	}
	maps.Copy(all, a.told.edit)
	a.told.edit, a.told.any = all, true
}

// Try tells what would be found if objects were changed together, by the compiler and
// by the rules from warnings on, with the severities of the stage admission. whole are objects of other
// kinds than the session has whole, to be judged by themselves.
func (a *Auditor) Try(whole []*syntax.Object, changes ...compiler.Change) diag.List {
	at := a.session.Attempt(changes...)
	a.judging.Lock()
	defer a.judging.Unlock()
	if a.took < quick {
		a.catchUp()
	}
	if a.rules == nil || a.rules.Judge() == nil {
		return at.Found
	}
	next := policies.Trial{State: a.state, Back: at.Back, Whole: whole, Judge: a.judge, Least: diag.Warning, Wall: a.Wall, Narrow: time.Since(a.late) < pause}
	next.Edit, next.Mesh, next.Inventory = at.Edit, at.Mesh, at.Inventory
	if !a.rules.Follows(a.rules.Judge(), next.State) {
		return at.Found // settings of the mesh: the audit tells
	}
	found, late := a.rules.Try(next, policies.Admission)
	if late {
		a.late = time.Now()
	}
	return append(at.Found, a.weighed(found, at.Waivers)...).Sorted()
}

// Bounds of what others wait for.
const (
	// wall is how long rules may judge a change: those of the wider scopes that need
	// more judge it once it is in force, and for a while so do all of them.
	wall  = time.Second
	pause = time.Minute
	// quick is how long it may take to judge an edit while changes wait for that.
	quick = 250 * time.Millisecond
)

// weighed marks what is waived, and gives the severities that the mesh has set.
func (a *Auditor) weighed(found diag.List, waivers []syntax.Waiver) diag.List {
	rules := a.state.Config.Rules
	return waive.Severities(waive.Mark(found, waivers, rules.MaxWaiver, a.state.Now), rules.Severity)
}
