package policies

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// Session judges states of a mesh that follow each other. What the rules said of
// an input is kept with all that they read, and holds for as long as that stays
// the same. Its findings are those of Judge.Mesh. It belongs to one goroutine.
type Session struct {
	judge  *Judge
	world  *World // of nobody else
	stage  Stage
	config *syntax.Config
	before *World

	objects    map[syntax.Name][]*judged // those that rules judge, in order of position
	wide       map[string][]*judged      // of scopes namespace and mesh, by input; one a rule
	dependents dependents                // of all of these
	speaking   []*judged                 // those with answers, in order
	shown      *diag.Section             // of all
}

// State is a state of a mesh, and how it differs from the last.
type State struct {
	// Files gives all objects. It is asked when there is no last state to start from.
	Files func() *syntax.Files
	// Edit is the names whose objects became others since the last state, with all
	// their objects.
	Edit      syntax.Edit
	Config    *syntax.Config
	Mesh      *ir.Mesh
	Inventory *ir.Inventory
	Now       time.Time
	Before    *World // data.mesh.before; nil: it is not known
}

// judged is an input with what the rules said of it, for as long as nothing that
// they read is another.
type judged struct {
	unit
	at        place
	dependent *dependent // nil: it was not judged yet
	made      []*made    // what the rules found
}

// place orders inputs as Judge.Mesh takes them.
type place struct {
	scope int // meshc.yaml, objects, namespaces, the mesh
	name  syntax.Name
	n     int // of those of a name
}

func comparePlaces(a, b *judged) int {
	x, y := &a.at, &b.at
	return cmp.Or(cmp.Compare(x.scope, y.scope), strings.Compare(x.name.Kind, y.name.Kind), strings.Compare(x.name.Namespace, y.name.Namespace),
		strings.Compare(x.name.Name, y.name.Name), cmp.Compare(x.n, y.n))
}

// Mesh applies every rule to a state. What it gives stays the same value while the
// findings do, and so does each batch in it.
func (s *Session) Mesh(j *Judge, next State, stage Stage) *diag.Section {
	if stage == "" {
		stage = Build
	}
	var todo []*judged
	if s.follows(j, next, stage) {
		var gone map[*judged]bool
		todo, gone = s.follow(next)
		for d := range gone {
			s.dependents.leave(d)
		}
	} else {
		todo = s.begin(j, next, stage)
	}
	units := make([]unit, len(todo))
	for i, d := range todo {
		units[i] = d.unit
	}
	outcomes, stopped, _ := j.run(s.world, units, true)
	for i, d := range todo {
		s.dependents.drop(d.dependent)
		d.dependent, d.made = &dependent{of: d, reads: outcomes[i].reads}, nil
		s.dependents.add(d.dependent)
		s.dependents.learn(d)
		for _, a := range outcomes[i].answers {
			d.made = append(d.made, &made{answer: a})
		}
	}
	s.hear(todo)
	shown := s.report(stopped)
	if stopped != "" {
		*s = Session{} // what was not judged is for the next run to judge
	}
	return shown
}

// follows tells whether the state can be reached from the last one.
func (s *Session) follows(j *Judge, next State, stage Stage) bool {
	if s.world == nil || s.judge != j || s.stage != stage || s.config != next.Config || s.before != next.Before || !s.world.now.Equal(atLeast1970(next.Now)) {
		return false
	}
	if o := s.config.Object; o != nil {
		if _, other := next.Edit[syntax.NameOf(o)]; other {
			return false
		}
	}
	return sameSettings(s.world.mesh, next.Mesh)
}

// begin takes every input of a state.
func (s *Session) begin(j *Judge, next State, stage Stage) []*judged {
	world := NewWorld(next.Files(), next.Mesh, next.Inventory, next.Now)
	world.Since(next.Before)
	*s = Session{judge: j, world: world, stage: stage, config: next.Config, before: next.Before, objects: map[syntax.Name][]*judged{}, wide: map[string][]*judged{}, dependents: dependents{}}
	var todo []*judged
	for _, u := range j.units(world) {
		if u.object != nil {
			name := syntax.NameOf(u.object)
			d := &judged{unit: u, at: place{scope: 1, name: name, n: len(s.objects[name])}}
			if u.object == next.Config.Object {
				d.at.scope = 0
			}
			s.objects[name] = append(s.objects[name], d)
			todo = append(todo, d)
		} else {
			todo = append(todo, s.widen(u)...)
		}
	}
	return todo
}

// widen takes the rules of a wider input one by one, as each reads something else.
func (s *Session) widen(u unit) []*judged {
	scope := 2
	if u.name == string(ScopeMesh) {
		scope = 3
	}
	var out []*judged
	for n, q := range u.queries {
		own := u
		own.queries, own.known = []*query{q}, &elements{}
		out = append(out, &judged{unit: own, at: place{scope: scope, name: syntax.Name{Name: u.name}, n: n}})
	}
	s.wide[u.name] = out
	return out
}

// follow makes the world another, and gives the inputs that are new, or of which
// something may be said that is new, and those that are gone.
func (s *Session) follow(next State) (todo []*judged, gone map[*judged]bool) {
	changes := s.world.move(next.Edit, next.Mesh, next.Inventory)
	again := map[*judged]bool{}
	gone = map[*judged]bool{}
	for name, list := range next.Edit {
		s.edit(name, list, again, gone)
	}
	if len(changes[s.world.data["namespaces"].(*document).number]) > 0 {
		s.namespaces(again, gone)
	}
	s.speaking = slices.DeleteFunc(s.speaking, func(d *judged) bool { return gone[d] })
	maps.Copy(again, s.dependents.forget(changes))
	for d := range again {
		if !gone[d] {
			todo = append(todo, d)
		}
	}
	s.forget(next.Edit)
	slices.SortFunc(todo, comparePlaces)
	return todo, gone
}

// edit makes the objects of a name others. Of one that only moved the rules say
// what they said.
func (s *Session) edit(name syntax.Name, list []*syntax.Object, fresh, gone map[*judged]bool) {
	before := s.objects[name]
	var now []*judged
	for _, o := range list {
		if o.Invalid {
			continue
		}
		for _, u := range s.judge.object(s.world, o) {
			at := place{scope: 1, name: name, n: len(now)}
			i := slices.IndexFunc(before, func(d *judged) bool { return d.at == at && (d.object == o || o.Moved(d.object)) })
			if i < 0 {
				d := &judged{unit: u, at: at}
				fresh[d] = true
				now = append(now, d)
				continue
			}
			d := before[i]
			if d.object != o {
				d.unit = u
				d.unmake()
			}
			now = append(now, d)
		}
	}
	for _, d := range before {
		if !slices.Contains(now, d) {
			gone[d] = true
		}
	}
	if s.objects[name] = now; len(now) == 0 {
		delete(s.objects, name)
	}
}

// namespaces takes up those that came, and drops those that went.
func (s *Session) namespaces(fresh, gone map[*judged]bool) {
	here := map[string]bool{}
	for _, u := range s.judge.namespaces(s.world) {
		here[u.name] = true
		if _, had := s.wide[u.name]; !had {
			for _, d := range s.widen(u) {
				fresh[d] = true
			}
		}
	}
	for name, all := range s.wide {
		if name != string(ScopeMesh) && !here[name] {
			for _, d := range all {
				gone[d] = true
			}
			delete(s.wide, name)
		}
	}
}

// forget makes findings anew that name objects which are others now, or elsewhere.
func (s *Session) forget(edit syntax.Edit) {
	others := make(map[string]bool, len(edit))
	for name := range edit {
		others[refText(name)] = true
	}
	for _, d := range s.speaking {
		if slices.ContainsFunc(d.made, func(m *made) bool { return m.names(others) }) {
			d.unmake()
		}
	}
}

// hear puts the inputs with something to say in order, and leaves out the others.
func (s *Session) hear(todo []*judged) {
	if len(todo) == 0 {
		return
	}
	again := make(map[*judged]bool, len(todo))
	var news []*judged
	for _, d := range todo {
		again[d] = true
		if len(d.made) > 0 {
			news = append(news, d)
		}
	}
	kept := slices.DeleteFunc(s.speaking, func(d *judged) bool { return again[d] })
	slices.SortFunc(news, comparePlaces)
	s.speaking = merge(kept, news)
}

// merge puts two sorted lists together.
func merge(a, b []*judged) []*judged {
	out := make([]*judged, 0, len(a)+len(b))
	for len(b) > 0 {
		i, _ := slices.BinarySearchFunc(a, b[0], comparePlaces)
		out = append(append(out, a[:i]...), b[0])
		a, b = a[i:], b[1:]
	}
	return append(out, a...)
}
