package envoy

import (
	"fmt"

	"github.com/meshc/meshc/compiler/ir"
)

// checkExpressions measures every expression of the mesh in the form in which
// Envoy compiles it. resolve has refused what a user wrote too large; this is
// for what anchoring and searching have added.
func checkExpressions(mesh *ir.Mesh) error {
	done := map[string]bool{}
	check := func(matches []ir.Match) error {
		for _, m := range matches {
			for _, expr := range expressions(m) {
				if done[expr] {
					continue
				}
				done[expr] = true
				size, err := ir.ExpressionSize(expr)
				if err != nil {
					return fmt.Errorf("%s: the expression %q: %w", m.Name, expr, err)
				}
				if size > ir.ProgramLimit {
					return fmt.Errorf("%s: the expression %q makes a program of about %d instructions, Envoy takes %d", m.Name, expr, size, ir.ProgramLimit)
				}
			}
		}
		return nil
	}
	for i := range mesh.Grants {
		if err := check(mesh.Grants[i].HTTP); err != nil {
			return err
		}
	}
	for i := range mesh.Splits {
		if err := check(mesh.Splits[i].Matches); err != nil {
			return err
		}
	}
	return nil
}

func expressions(m ir.Match) []string {
	var out []string
	if m.Path != "" {
		out = append(out, m.Path)
	}
	for _, h := range m.Headers {
		out = append(out, headerRegex(h))
	}
	return out
}
