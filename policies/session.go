package policies

import (
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/policies/sieve"
)

// Session judges states of a mesh that follow each other. What the rules said of
// an input is kept with all that they read, and holds for as long as that stays
// the same. Its findings are those of Judge.Mesh. It belongs to one goroutine.
type Session struct {
	judge *Judge
	world *World
	known map[any]outcome // by object, or by the name of a wider input
}

// outcome is what the rules said of an input, and what they read for it.
type outcome struct {
	answers []answer
	reads   []read
}

// read is an entry of a document, there or not, or all of it.
type read struct {
	document int
	key      string
	all      bool
}

// everything is read by a rule that takes data.mesh as a whole.
const everything = -1

// Mesh applies every rule to a world, which the session takes for its own.
func (s *Session) Mesh(j *Judge, w *World, stage Stage) diag.List {
	var changes []change
	if s.judge != j || s.world == nil || !s.world.now.Equal(w.now) || s.world.before != w.before {
		s.known = nil
	} else {
		changes = w.follow(s.world)
	}
	units := j.units(w)
	outcomes := make([]outcome, len(units))
	var todo []unit
	var places []int
	for i, u := range units {
		if kept, ok := s.known[u.key()]; ok && holds(kept.reads, changes) {
			outcomes[i] = kept
			continue
		}
		todo, places = append(todo, u), append(places, i)
	}
	fresh, stopped := j.run(w, todo, true)
	for n, i := range places {
		outcomes[i] = fresh[n]
	}
	s.judge, s.world, s.known = j, w, make(map[any]outcome, len(units))
	for i, u := range units {
		s.known[u.key()] = outcomes[i]
	}
	if stopped != "" {
		s.known = nil
	}
	return j.report(w, units, outcomes, stopped, stage)
}

// key is what an input is known by from world to world. An object that says
// something else is another one.
func (u unit) key() any {
	if u.object != nil {
		return u.object
	}
	return u.name
}

func holds(reads []read, changes []change) bool {
	for _, r := range reads {
		if r.document == everything || changes[r.document].touches(r) {
			return false
		}
	}
	return true
}

// recorder notes what is read for an input, everything once.
type recorder struct {
	reads []read
	seen  map[read]struct{}
}

func (r *recorder) note(of sieve.Map, key string, all bool) {
	if r == nil {
		return
	}
	one := read{document: everything}
	switch of := of.(type) {
	case *document:
		one = read{of.number, key, all}
	case folder:
		if !all {
			return // the names in it are always the same
		}
	}
	if _, had := r.seen[one]; !had {
		r.seen[one] = struct{}{}
		r.reads = append(r.reads, one)
	}
}

// take gives what was noted, and begins anew.
func (r *recorder) take() []read {
	if r == nil {
		return nil
	}
	out := append([]read(nil), r.reads...)
	r.reads = r.reads[:0]
	clear(r.seen)
	return out
}
