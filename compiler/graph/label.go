package graph

import (
	"strings"
	"unicode"
)

// Subtitle is what stands below a node's name: what it is and where.
func (n Node) Subtitle() string {
	text := string(n.Kind)
	if n.Kind == Service && n.Missing {
		text = "no such service"
	}
	if n.Outside {
		text = "outside service"
	}
	if n.Namespace != "" {
		text += " in " + n.Namespace
	}
	if n.Mode != "" {
		text += ", " + string(n.Mode)
	}
	return text
}

// short cuts a text in its middle.
func short(s string) string {
	r := []rune(s)
	if len(r) <= longestTag {
		return clean(s)
	}
	half := (longestTag - 1) / 2
	return clean(string(r[:half]) + "…" + string(r[len(r)-half:]))
}

// clean replaces what no document may hold, and what would show a name otherwise
// than it is: control characters, and those that turn the direction of writing.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) || r == unicode.ReplacementChar || r == 0xfffe || r == 0xffff {
			return '\ufffd'
		}
		return r
	}, s)
}

// cleanLines keeps our own line breaks.
func cleanLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = clean(lines[i])
	}
	return strings.Join(lines, "\n")
}
