package fix

import "strings"

// Idle tells whether a line holds nothing: a blank, a comment, the mark between
// documents.
func Idle(line string) bool {
	t := strings.TrimSpace(line)
	return t == "" || t[0] == '#' || t == "---"
}

// Last is the last line of the field or list entry of a YAML text in block style
// that begins in a line, both counted from 0: what is indented more belongs to it,
// and the entries of a list below its key. Comments behind it do not.
func Last(lines []string, at int) int {
	last := at
	for i := at + 1; i < len(lines); i++ {
		if Idle(lines[i]) {
			continue
		}
		a, b := Indent(lines[i]), Indent(lines[at])
		if a < b || a == b && (!entry(lines[i]) || entry(lines[at])) {
			break
		}
		last = i
	}
	return last
}

// Indent counts the spaces a line begins with.
func Indent(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

// entry tells whether a line begins an entry of a list.
func entry(line string) bool {
	t := strings.TrimRight(line[Indent(line):], "\r")
	return t == "-" || strings.HasPrefix(t, "- ")
}
