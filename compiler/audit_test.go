package compiler_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/audit"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
	rego "github.com/meshc/meshc/policies"
)

// What rules find with a change that is tried is what a cold compilation of it finds
// and one without it does not; and a try leaves no trace.
func TestAChangeIsJudgedAsTheMeshThatItMakes(t *testing.T) {
	tried := map[string]int{}
	for seed := range (*edits + 99) / 100 {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			d := newDeskWith(t, uint64(seed)+3000, compiler.Options{NoPlan: true, NoRules: true})
			d.rules = ruleFiles()
			var judge *rego.Judge
			a := audit.New(d.session, rego.Kinds())
			a.Wall = time.Hour // the machine may be busy
			d.session.Load(d.tree(nil, nil), d.known)
			names := syntax.Edit{} // all that ever was
			for range 50 {
				d.edit()
				r, _ := d.session.Apply()
				for name := range names {
					names[name] = nil
				}
				for _, o := range d.session.Files().Objects {
					names[syntax.NameOf(o)] = append(names[syntax.NameOf(o)], o)
				}
				judge, _ = rego.For(d.tree(nil, nil), r.Config)
				a.Compiled(r, names, time.Time{})
				before := d.ruled(d.tree(nil, nil))
				if diff := difference(before, rulesOnly(a.Audit(judge))); diff != "" {
					d.fatal("what the audit finds: " + diff)
				}
				for range 3 {
					c, taken := d.object()
					had := map[string]int{}
					for _, f := range before {
						had[saying(f)]++
					}
					var want, got []string
					for _, f := range d.ruled(d.tree(&c, taken)) {
						own := f.Object != nil && taken[syntax.Name{Kind: f.Object.Kind, Namespace: f.Object.Namespace, Name: f.Object.Name}]
						if had[saying(f)]--; own || had[saying(f)] < 0 {
							want = append(want, saying(f))
						}
					}
					for _, f := range rulesOnly(a.Try(nil, c)) {
						got = append(got, saying(f))
						tried[string(f.Code)]++
					}
					slices.Sort(want)
					slices.Sort(got)
					if !slices.Equal(want, got) {
						d.fatal(fmt.Sprintf("what rules find with %s: %q, want %q\n%s", c.Path, got, want, c.Data))
					}
				}
			}
		})
	}
	for _, code := range []string{"T0003", "T0005", "T0006"} {
		if tried[code] == 0 {
			t.Errorf("nothing was found by %s: the test tests little (%v)", code, tried)
		}
	}
}

// ruled are the findings of rules that a cold compilation has.
func (d *desk) ruled(tree *source.Tree) diag.List {
	_, found := compiler.Compile(tree, d.known, compiler.Options{NoPlan: true})
	return rulesOnly(found)
}

// rulesOnly are the findings of rules, but for those whose number depends on others.
func rulesOnly(found diag.List) diag.List {
	return slices.DeleteFunc(slices.Clone(found), func(f diag.Finding) bool {
		return !slices.Contains([]diag.Code{"T0003", "T0004", "T0005", "T0006"}, f.Code)
	})
}

// saying is what a finding says, wherever that stands.
func saying(f diag.Finding) string { return fmt.Sprint(f.Code, f.Object, f.Path, f.Message) }
