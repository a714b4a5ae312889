package ir

import (
	"fmt"
	"regexp/syntax"
	"strings"
	"unicode"
)

// ProgramLimit is re2.max_program_size.error_level of every proxy's bootstrap:
// Envoy refuses a larger program, and with it the whole resource.
const ProgramLimit = 32768

// ExpressionSize is the size of an expression's program in Envoy, estimated
// from above, to be held against ProgramLimit. An error tells of an expression
// that Envoy refuses, or reads otherwise than it is meant: its RE2 works on
// bytes (Latin-1), so it refuses \x{100} and takes é for two characters.
func ExpressionSize(expr string) (int, error) {
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return 0, err
	}
	if r, found := beyondASCII(re, strings.Contains(expr, `\p`) || strings.Contains(expr, `\P`)); found {
		return 0, fmt.Errorf("it names the character %q, and proxies compare bytes: paths hold such characters percent-encoded", r)
	}
	prog, err := syntax.Compile(re.Simplify())
	if err != nil {
		return 0, err
	}
	size := 0
	for i := range prog.Inst {
		size += instructions(&prog.Inst[i])
	}
	return size, nil
}

// beyondASCII finds a character that the expression names outside ASCII. A class
// that leaves ASCII by negation or by \p names none: of bytes it holds those
// that it would hold of Latin-1. Folding case adds two letters to k and s.
func beyondASCII(re *syntax.Regexp, classes bool) (rune, bool) {
	named := func(r rune) bool {
		return r > unicode.MaxASCII && r != unicode.MaxRune && r != 'ſ' && r != '\u212a'
	}
	switch {
	case re.Op == syntax.OpLiteral, re.Op == syntax.OpCharClass && !classes:
		for _, r := range re.Rune {
			if named(r) {
				return r, true
			}
		}
	}
	for _, sub := range re.Sub {
		if r, found := beyondASCII(sub, classes); found {
			return r, true
		}
	}
	return 0, false
}

// instructions are those of RE2 for one of Go's: a class takes one for each of
// its ranges of bytes, and one that tries them.
func instructions(inst *syntax.Inst) int {
	switch inst.Op {
	case syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
		return 3
	case syntax.InstRune:
		n := 2 // a single letter in both cases
		for i := 2; i < len(inst.Rune) && inst.Rune[i] <= unicode.MaxLatin1; i += 2 {
			n++
		}
		return n
	}
	return 1
}
