package policies

import (
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/policies/sieve"
)

// Sieved is how the sieve's answers about a world compare with those of OPA.
type Sieved struct {
	Missed []string // the sieve says that there is nothing, and there is
	Asked  []string // OPA is asked, and there is nothing
	Spared int      // OPA is not asked, and there is nothing
}

// Sieved asks every rule about every input both ways.
func (j *Judge) Sieved(w *World) Sieved {
	var out Sieved
	e := j.evaluator(w, &guard{}, false)
	for _, u := range j.units(w) {
		e.machine.Next(u.input.value())
		for _, q := range u.queries {
			may := e.machine.May(q.test, u.few(), nil)
			found, err := e.ask(q, ast.NewTerm(u.input.term()), e.limits.steps(u.wide))
			name := fmt.Sprintf("%s on %s: %v, %v", q.rule.Code, u.input.term(), found, err)
			switch nothing := err == nil && found.Len() == 0; {
			case !may && !nothing:
				out.Missed = append(out.Missed, name)
			case may && nothing:
				out.Asked = append(out.Asked, name)
			case nothing:
				out.Spared++
			}
		}
	}
	return out
}

// Missed is what the sieve misses of a mutant's findings on all samples.
func (p *Prover) Missed(m Mutant) []string {
	prog, rule, ok := p.compile(m)
	if !ok {
		return nil
	}
	var out []string
	for _, s := range p.proofs {
		out = append(out, s.judge(prog, *rule).Sieved(s.World).Missed...)
	}
	return out
}

// Misspelt is what the library reads that is not in data.mesh.
func (j *Judge) Misspelt() diag.List {
	var out diag.List
	for _, m := range j.program.modules {
		out.Add(misspelt(j.program.compiler.Modules[m.file])...)
	}
	return out
}

// Unshaped are the paths in data.mesh that rules are told not to be there.
func (w *World) Unshaped() []string { return unshaped("data.mesh", meshShape, sieve.ToAST(w.data)) }

func unshaped(path string, s shape, v ast.Value) (out []string) {
	switch v := v.(type) {
	case ast.Object:
		fields, named := s["properties"].(shape)
		v.Foreach(func(k, v *ast.Term) {
			name := string(k.Value.(ast.String))
			below, known := fields[name].(shape)
			if named && !known {
				out = append(out, path+"."+name)
				return
			}
			if !named {
				below = item(s)
			}
			out = append(out, unshaped(path+"."+name, below, v.Value)...)
		})
	case *ast.Array:
		v.Foreach(func(t *ast.Term) { out = append(out, unshaped(path+"[]", item(s), t.Value)...) })
	}
	return out
}
