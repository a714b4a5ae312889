package policies

import (
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/syntax"
)

// Mesh applies every rule to a world. An empty stage is a build.
func (j *Judge) Mesh(w *World, stage Stage) diag.List { return j.judge(w, j.units(w), stage) }

// units are all inputs, each with the rules that judge it.
func (j *Judge) units(w *World) []unit {
	var units []unit
	for _, o := range w.Objects() {
		units = append(units, j.object(w, o)...)
	}
	units = append(units, j.namespaces(w)...)
	if q := j.program.queries[string(ScopeMesh)]; q != nil {
		units = append(units, unit{queries: q, name: "mesh", wide: true, input: input{fixed: doc("scope", string(ScopeMesh))}})
	}
	return units
}

// namespaces are the inputs of rules of that scope, by name.
func (j *Judge) namespaces(w *World) []unit {
	q := j.program.queries[string(ScopeNamespace)]
	if q == nil {
		return nil
	}
	var units []unit
	for _, name := range names(w.objects().spaces) {
		units = append(units, unit{queries: q, name: "namespace/" + name, wide: true, input: input{fixed: doc("namespace", name)}})
	}
	return units
}

// Object applies the rules of scope object to one object, which need not be one
// of the world's: that is how a change is judged before it is made.
func (j *Judge) Object(w *World, o *syntax.Object, stage Stage) diag.List {
	return j.judge(w, j.object(w, o), stage)
}

func (j *Judge) object(w *World, o *syntax.Object) []unit {
	q := j.program.queries[o.Kind]
	if q == nil {
		return nil
	}
	return []unit{{queries: q, object: o, input: w.input(o)}}
}

func (j *Judge) judge(w *World, units []unit, stage Stage) diag.List {
	outcomes, stopped, _ := j.run(w, units, false)
	return j.report(w, units, outcomes, stopped, stage)
}

// report is the findings that the outcomes of units come to.
func (j *Judge) report(w *World, units []unit, outcomes []outcome, stopped string, stage Stage) diag.List {
	if stage == "" {
		stage = Build
	}
	r := &reporter{world: w, stage: stage, limits: j.limits, stopped: stopped}
	t := newTally(j.limits)
	var found diag.List
	for i, u := range units {
		for _, a := range outcomes[i].answers {
			if n := r.count(a); t.left(a.rule) > 0 || n == 0 {
				found.Add(t.take(a.rule, r.elements(u, a))...)
			} else {
				t.count[a.rule.Code] += n
			}
		}
	}
	found.Add(t.tooMany(j.rules)...)
	return found.Sorted()
}
