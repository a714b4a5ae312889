package probe

import (
	"regexp/syntax"
	"strings"
)

// The most strings that one expression, and one part of it, may give.
const (
	mostStrings  = 48
	mostExamples = 6
)

// Examples are short strings that an expression matches, the shortest way first;
// anchors and boundaries count for nothing. One that does not parse has none.
func Examples(expr string) []string {
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return nil
	}
	return examples(re)
}

// Strings are the examples of an expression and their nearest neighbours: a
// character more at either end, one fewer, another one, the other case.
func Strings(expr string) []string {
	var out []string
	for _, s := range Examples(expr) {
		out = append(out, s)
		out = append(out, neighbours(s)...)
	}
	out = distinct(out)
	return out[:min(len(out), mostStrings)]
}

func neighbours(s string) []string {
	out := []string{s + "x", "x" + s}
	if s == "" {
		return out
	}
	last := len(s) - 1
	out = append(out, s[:last], s[:last]+"~", s[1:], strings.ToUpper(s))
	for i := range len(s) {
		if strings.IndexByte(".-_+$^", s[i]) >= 0 { // an unescaped dot takes anything
			out = append(out, s[:i]+"z"+s[i+1:])
		}
	}
	return out
}

func distinct(in []string) []string {
	seen := map[string]bool{}
	var out []string
	for _, s := range in {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}

func examples(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpLiteral:
		return []string{string(re.Rune)}
	case syntax.OpCharClass:
		return class(re.Rune)
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return []string{"q"}
	case syntax.OpCapture:
		return examples(re.Sub[0])
	case syntax.OpStar, syntax.OpQuest:
		return few(append([]string{""}, examples(re.Sub[0])...))
	case syntax.OpPlus:
		one := examples(re.Sub[0])
		return few(append(one, doubled(one)...))
	case syntax.OpRepeat:
		return repeated(re)
	case syntax.OpConcat:
		return concatenated(re.Sub)
	case syntax.OpAlternate:
		var out []string
		for _, sub := range re.Sub {
			out = append(out, first(examples(sub)))
		}
		return few(out)
	}
	return []string{""}
}

// concatenated takes the first example of each part, and then, one part at a
// time, the others.
func concatenated(subs []*syntax.Regexp) []string {
	parts := make([][]string, len(subs))
	for i, sub := range subs {
		parts[i] = examples(sub)
	}
	join := func(at, which int) string {
		var b strings.Builder
		for i, p := range parts {
			if i == at {
				b.WriteString(p[which])
			} else {
				b.WriteString(first(p))
			}
		}
		return b.String()
	}
	out := []string{join(-1, 0)}
	for i, p := range parts {
		for k := 1; k < len(p); k++ {
			out = append(out, join(i, k))
		}
	}
	return few(out)
}

func repeated(re *syntax.Regexp) []string {
	one := first(examples(re.Sub[0]))
	out := []string{strings.Repeat(one, min(re.Min, 1000))}
	if re.Max != re.Min {
		out = append(out, strings.Repeat(one, min(re.Min+1, 1000)))
	}
	return out
}

// class picks the ends of a class's ranges, printable ones first.
func class(ranges []rune) []string {
	var plain, rest []string
	for i := 0; i+1 < len(ranges); i += 2 {
		for _, r := range ranges[i : i+2] {
			switch {
			case r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z':
				plain = append(plain, string(r))
			case r > ' ' && r < 0x7f:
				rest = append(rest, string(r))
			}
		}
		if ranges[i] <= 'a' && ranges[i+1] >= 'z' {
			plain = append([]string{"a"}, plain...)
		}
	}
	if out := few(distinct(append(plain, rest...))); len(out) > 0 {
		return out
	}
	return []string{""}
}

func doubled(in []string) []string {
	if len(in) == 0 {
		return nil
	}
	return []string{in[0] + in[0]}
}

func first(in []string) string {
	if len(in) == 0 {
		return ""
	}
	return in[0]
}

func few(in []string) []string { return in[:min(len(in), mostExamples)] }
