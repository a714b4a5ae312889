package oracle

import (
	"slices"
	"testing"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/lab/caller"
)

// found is a disagreement: a mesh and a question to it.
type found struct {
	World    world
	Question question
}

// shrink takes away whatever a disagreement does not need, one part at a time,
// until nothing more can go or tries are used up.
func shrink(f found, fails func(found) bool, tries int) found {
	for again := true; again; {
		again = false
		for _, less := range f.lesser() {
			if tries--; tries < 0 {
				return f
			}
			if fails(less) {
				f, again = less, true
				break
			}
		}
	}
	return f
}

// lesser are the same disagreement without one of its parts each.
func (f found) lesser() []found {
	var out []found
	change := func(do func(*found)) {
		next := found{World: f.World.clone(), Question: f.Question}
		do(&next)
		out = append(out, next)
	}
	for i := range f.World.Targets {
		change(func(n *found) { n.World.Targets = slices.Delete(n.World.Targets, i, i+1) })
	}
	for i := range f.World.Splits {
		change(func(n *found) { n.World.Splits = slices.Delete(n.World.Splits, i, i+1) })
	}
	for i, s := range f.World.Services {
		if (ir.ServiceID{Namespace: s.Namespace, Name: s.Name}) != f.Question.Ask.To.Service {
			change(func(n *found) { n.World.Services = slices.Delete(n.World.Services, i, i+1) })
		}
	}
	for i := range f.World.Spaces {
		change(func(n *found) { n.World.Spaces = slices.Delete(n.World.Spaces, i, i+1) })
	}
	for i, t := range f.World.Targets {
		for j := range t.Matches {
			if len(t.Matches) > 1 {
				change(func(n *found) { n.World.Targets[i].Matches = slices.Delete(slices.Clone(t.Matches), j, j+1) })
			}
		}
		for j := range t.Sources {
			if len(t.Sources) > 1 {
				change(func(n *found) { n.World.Targets[i].Sources = slices.Delete(slices.Clone(t.Sources), j, j+1) })
			}
		}
	}
	return append(out, f.fewerHeaders()...)
}

// fewerHeaders leave out one line each of what a caller writes by itself; what is
// written by hand stays as it is.
func (f found) fewerHeaders() []found {
	var out []found
	if f.Question.Wire.Kind != caller.HTTP1 || f.Question.Ask.HTTP == nil {
		return nil
	}
	for i := range f.Question.Ask.HTTP.Headers {
		next := f
		http := *f.Question.Ask.HTTP
		http.Headers = slices.Delete(slices.Clone(http.Headers), i, i+1)
		next.Question.Ask.HTTP, next.Question.Wire.Headers = &http, http.Headers
		out = append(out, next)
	}
	return out
}

func (w world) clone() world {
	w.Targets, w.Splits = slices.Clone(w.Targets), slices.Clone(w.Splits)
	w.Services, w.Spaces = slices.Clone(w.Services), slices.Clone(w.Spaces)
	return w
}

// What does not matter to a disagreement is gone from its story.
func TestShrinkLeavesWhatMatters(t *testing.T) {
	w := newWorld(1)
	q := question{Wire: caller.Request{Kind: caller.HTTP1}}
	q.Ask.To.Service = ir.ServiceID{Namespace: "a", Name: w.Services[0].Name}
	q.Ask.HTTP = &ir.HTTPRequest{Headers: []ir.Header{{Name: "x", Value: "1"}, {Name: "host", Value: "s0.a"}}}
	kept := w.Targets[len(w.Targets)-1].Name
	got := shrink(found{*w, q}, func(f found) bool {
		return slices.ContainsFunc(f.World.Targets, func(t target) bool { return t.Name == kept }) &&
			slices.ContainsFunc(f.Question.Ask.HTTP.Headers, func(h ir.Header) bool { return h.Name == "host" })
	}, 1000)
	if len(got.World.Targets) != 1 || len(got.World.Services) != 1 || len(got.World.Splits)+len(got.World.Spaces) != 0 {
		t.Errorf("more is left than one target and one service: %+v", got.World)
	}
	if len(got.Question.Ask.HTTP.Headers) != 1 {
		t.Errorf("more is left than one header: %v", got.Question.Ask.HTTP.Headers)
	}
	if len(w.Targets) < 2 {
		t.Error("the mesh that was shrunk was small already")
	}
}
