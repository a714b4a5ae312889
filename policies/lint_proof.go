package policies

import (
	"strings"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
)

// Unproved takes away or turns round every part of a rule, one at a time, and
// finds those parts whose loss no test and no sample notices. files are the rule,
// its tests and the functions it shares.
func Unproved(files []*source.File, proofs []Proof) diag.List {
	p, found := NewProver(files, proofs)
	if p == nil {
		return found
	}
	if !p.Survives(p.Original()) {
		return diag.List{diag.New(CodeUnproved, p.rule.rule.At, "nothing of %s is proved: its own tests or samples fail", p.rule.rule.Code).
			WithHelp("see what fails with `meshc policy test`")}
	}
	for _, m := range p.Mutants() {
		if !p.Survives(m) {
			continue
		}
		if m.What == "without "+entryRule {
			found.Add(diag.New(CodeUnproved, line(m.At), "no test and no bad sample fails when this %q is taken away", entryRule).
				WithEffect("nothing shows that it can ever fire").
				WithHelp("add a line to a bad sample on which only this one fires, with `# want: %s` at its end", p.rule.rule.Code))
			continue
		}
		found.Add(diag.New(CodeIdle, m.At, "no test and no sample fails with the rule %s", strings.TrimSpace(m.What)).
			WithEffect("this part may be wrong, and nobody would see it").
			WithHelp("add a sample or a test that tells the difference, or take the part out"))
	}
	return found
}
