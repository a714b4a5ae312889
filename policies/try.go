package policies

import (
	"maps"
	"slices"
	"time"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// Follows tells whether a state can be reached from the last one by its edit: else
// Mesh judges all of it anew.
func (s *Session) Follows(j *Judge, next State) bool { return s.follows(j, next, s.stage) }

// Trial is a state that may follow that of a session.
type Trial struct {
	State
	// Back is the edit that leads from there to here.
	Back syntax.Edit
	// Whole are objects that Judge, whose rules are those of the session's judge or more,
	// judges in that state without their being of it.
	Whole []*syntax.Object
	Judge *Judge
	// Narrow leaves out rules of the scopes namespace and mesh.
	Narrow bool
	// Least is the severity from which findings are wanted.
	Least diag.Severity
	// Wall bounds the time that rules of single objects may take, and that the others may.
	Wall time.Duration
}

// Try tells what the rules would find at a stage in a state: all that is about the
// objects of its edit, and what is found with others and is not found now. late tells
// that the rules of the wider scopes took too long: of them nothing is found. The
// session stays as it is; it must have judged something, and the state must follow that.
func (s *Session) Try(next Trial, stage Stage) (found diag.List, late bool) {
	was := s.keep(next.Edit)
	naming := s.naming(next.Edit)
	narrow, wide := s.inputs(next)
	judge := *s.judge
	judge.limits.Wall = next.Wall
	var now, before diag.List
	lost := false
	ask := func(all []*judged) (stopped string) {
		units := make([]unit, len(all))
		for i, d := range all {
			units[i] = d.unit
		}
		var outcomes []outcome
		if outcomes, stopped, lost = judge.run(s.world, units, false); stopped == "" || len(all) > 0 && !all[0].wide {
			now.Add(s.found(next.Least, stage, stopped, all, func(i int, _ *judged) []answer { return outcomes[i].answers })...)
		}
		return stopped
	}
	if ask(narrow); !lost {
		late = ask(wide) != ""
	}
	// What others were found with stays, and may be about objects that are others now.
	asked := append(slices.Clone(narrow), wide...)
	naming = slices.DeleteFunc(naming, func(d *judged) bool { return slices.Contains(asked, d) || !slices.Contains(s.speaking, d) })
	now.Add(s.found(next.Least, stage, "", naming, was.said)...)
	if lost { // a call that could not be stopped may still read it
		*s = Session{}
		return now.Sorted(), late
	}
	s.restore(was, next.Back, asked)
	if late {
		wide = nil
	}
	before = s.found(next.Least, stage, "", slices.Concat(was.replaced(narrow), narrow, wide, naming), was.said)
	own := maps.Clone(next.Edit)
	for _, o := range next.Whole {
		own[syntax.NameOf(o)] = nil
	}
	return fresh(now, before, own), late
}

// naming are the inputs with findings that name objects of an edit.
func (s *Session) naming(edit syntax.Edit) []*judged {
	names := make(map[string]bool, len(edit))
	for name := range edit {
		names[refText(name)] = true
	}
	var out []*judged
	for _, d := range s.speaking {
		if slices.ContainsFunc(d.made, func(m *made) bool { return m.names(names) }) {
			out = append(out, d)
		}
	}
	return out
}

// inputs goes on to a state, and gives what is to be judged in it.
func (s *Session) inputs(next Trial) (narrow, wide []*judged) {
	todo, _ := s.follow(next.State)
	for _, d := range todo {
		switch {
		case !d.wide:
			narrow = append(narrow, d)
		case !next.Narrow:
			wide = append(wide, d)
		}
	}
	for _, o := range next.Whole {
		for _, u := range next.Judge.object(s.world, o) {
			narrow = append(narrow, &judged{unit: u, at: place{scope: 1, name: syntax.NameOf(o), n: -1}})
		}
	}
	return narrow, wide
}

// found are the findings of some answers.
func (s *Session) found(least diag.Severity, stage Stage, stopped string, all []*judged, of func(int, *judged) []answer) diag.List {
	r, t := &reporter{world: s.world, stage: stage, limits: s.judge.limits, stopped: stopped}, newTally(s.judge.limits)
	var out diag.List
	for i, d := range all {
		for _, a := range of(i, d) {
			if a.rule.Levels[stage].severity() < least {
				continue
			}
			out.Add(t.take(a.rule, r.elements(d.unit, a))...)
		}
	}
	return out
}

// fresh are the findings about objects of an edit, and those that were not there before,
// wherever their objects stand now.
func fresh(now, before diag.List, edit syntax.Edit) diag.List {
	type same struct {
		code          diag.Code
		object        diag.Object
		path, message string
	}
	key := func(f diag.Finding) same {
		k := same{code: f.Code, path: f.Path, message: f.Message}
		if f.Object != nil {
			k.object = *f.Object
		}
		return k
	}
	had := map[same]int{}
	for _, f := range before {
		had[key(f)]++
	}
	var out diag.List
	for _, f := range now {
		if k := key(f); had[k] > 0 {
			if had[k]--; !edited(f, edit) {
				continue
			}
		}
		out = append(out, f)
	}
	return out.Sorted()
}

func edited(f diag.Finding, edit syntax.Edit) bool {
	if f.Object == nil {
		return false
	}
	_, ok := edit[syntax.Name{Kind: f.Object.Kind, Namespace: f.Object.Namespace, Name: f.Object.Name}]
	return ok
}

// kept is what following an edit changes of a session, beside its world.
type kept struct {
	mesh      *ir.Mesh
	inventory *ir.Inventory
	objects   map[syntax.Name][]*judged
	values    map[*judged]judged // of these, as they were
	wide      map[string][]*judged
	speaking  []*judged
	shown     *diag.Section
}

func (s *Session) keep(edit syntax.Edit) kept {
	k := kept{
		mesh: s.world.mesh, inventory: s.world.inv, objects: map[syntax.Name][]*judged{}, values: map[*judged]judged{},
		wide: maps.Clone(s.wide), speaking: slices.Clone(s.speaking), shown: s.shown,
	}
	for name := range edit {
		k.objects[name] = s.objects[name]
		for _, d := range s.objects[name] {
			own := *d
			own.made = slices.Clone(d.made)
			k.values[d] = own
		}
	}
	return k
}

// had tells whether an input was there.
func (k kept) had(d *judged) bool {
	if d.object == nil {
		return slices.Contains(k.wide[d.at.name.Name], d)
	}
	list, edited := k.objects[d.at.name]
	return d.at.n >= 0 && (!edited || slices.Contains(list, d))
}

// replaced are the inputs that others came in the place of, but for those of a list.
func (k kept) replaced(but []*judged) []*judged {
	var out []*judged
	for _, list := range k.objects {
		for _, d := range list {
			if !slices.Contains(but, d) {
				out = append(out, d)
			}
		}
	}
	slices.SortFunc(out, comparePlaces)
	return out
}

// said is what was answered on an input, nothing if it was not there.
func (k kept) said(_ int, d *judged) []answer {
	var out []answer
	if k.had(d) {
		for _, m := range d.made {
			out = append(out, m.answer)
		}
	}
	return out
}

// restore goes back to a state, from one in which some inputs were judged.
func (s *Session) restore(k kept, back syntax.Edit, asked []*judged) {
	changes := s.world.move(back, k.mesh, k.inventory)
	for d, was := range k.values {
		*d = was
	}
	for name, list := range k.objects {
		if s.objects[name] = list; len(list) == 0 {
			delete(s.objects, name)
		}
	}
	s.wide, s.speaking, s.shown = k.wide, k.speaking, k.shown
	for _, d := range asked {
		if s.dependents.learn(d); !k.had(d) {
			s.dependents.leave(d)
		}
	}
	s.dependents.forget(changes) // what nothing was found of, there, may be another here
}

// Judge is the judge that judged last; nil: there is none whose judgement holds.
func (s *Session) Judge() *Judge { return s.judge }
