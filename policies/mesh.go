package policies

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/syntax"
)

// Mesh applies every rule to a world. An empty stage is a build.
func (j *Judge) Mesh(w *World, stage Stage) diag.List { return j.judge(w, j.units(w), stage) }

// units are all evaluations that a judgement of a world takes.
func (j *Judge) units(w *World) []unit {
	var units []unit
	for _, o := range w.Objects() {
		units = append(units, j.object(w, o)...)
	}
	if q := j.program.queries[string(ScopeNamespace)]; q != nil {
		for _, name := range names(w.objects().namespaces) {
			units = append(units, unit{query: q, steps: wideSteps * j.limits.Steps, input: func() *ast.Term {
				return ast.NewTerm(doc("namespace", name))
			}})
		}
	}
	if q := j.program.queries[string(ScopeMesh)]; q != nil {
		units = append(units, unit{query: q, steps: wideSteps * j.limits.Steps, input: func() *ast.Term {
			return ast.NewTerm(doc("scope", string(ScopeMesh)))
		}})
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
	return []unit{{query: q, object: o, steps: j.limits.Steps, input: func() *ast.Term { return w.input(o) }}}
}

func (j *Judge) judge(w *World, units []unit, stage Stage) diag.List {
	if stage == "" {
		stage = Build
	}
	answers, stopped := j.run(w, units)
	r := &reporter{world: w, stage: stage, limits: j.limits, stopped: stopped, count: map[diag.Code]int{}, failed: map[diag.Code]bool{}}
	for i, u := range units {
		for _, a := range answers[i] {
			r.answer(u, a)
		}
	}
	return r.done(j.rules)
}
