package envoy

import (
	"fmt"
	"regexp/syntax"
	"unicode/utf8"

	"github.com/meshc/meshc/compiler/ir"
)

// programLimit is re2.max_program_size.error_level of every bootstrap: Envoy
// refuses a larger program, and with it the whole resource.
const programLimit = 32768

// checkExpressions measures every expression of the mesh as Envoy will compile it.
func checkExpressions(mesh *ir.Mesh) error {
	done := map[string]bool{}
	check := func(matches []ir.Match) error {
		for _, m := range matches {
			for _, expr := range expressions(m) {
				if done[expr] {
					continue
				}
				done[expr] = true
				if err := checkExpression(expr); err != nil {
					return fmt.Errorf("%s: %w", m.Name, err)
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

func checkExpression(expr string) error {
	parsed, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return fmt.Errorf("the expression %q: %w", expr, err)
	}
	prog, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return fmt.Errorf("the expression %q: %w", expr, err)
	}
	if size := programSize(prog); size > programLimit {
		return fmt.Errorf("the expression %q makes a program of about %d instructions, Envoy takes %d", expr, size, programLimit)
	}
	return nil
}

// programSize estimates RE2's program from above. RE2 works on bytes: where Go
// has one instruction for a class of characters it has one for each byte of
// each range of encodings.
func programSize(prog *syntax.Prog) int {
	size := 0
	for i := range prog.Inst {
		switch inst := &prog.Inst[i]; inst.Op {
		case syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
			size += 12
		case syntax.InstRune:
			for r := 0; r+1 < len(inst.Rune); r += 2 {
				size += rangeSize(inst.Rune[r], inst.Rune[r+1])
			}
			size += rangeSize(inst.Rune[0], inst.Rune[0])
		case syntax.InstRune1:
			size += utf8.RuneLen(inst.Rune[0])
		default:
			size++
		}
	}
	return size
}

// rangeSize is the most instructions a range of characters takes: an
// alternative and the bytes, for encodings of several bytes split at both ends.
func rangeSize(lo, hi rune) int {
	if hi < utf8.RuneSelf {
		return 2
	}
	n := max(utf8.RuneLen(hi), 1)
	if lo < utf8.RuneSelf || utf8.RuneLen(lo) != n {
		return 2 + 3*n*n
	}
	if lo == hi {
		return 1 + n
	}
	return (2*n - 1) * n
}
