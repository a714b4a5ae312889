package syntax

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
)

// RegoWaivers are the waivers that stand as comments in a file of rules, in the form of
// those in manifests; the findings are those of malformed ones. A comment is for the
// line that it stands beside, or for the first line below it, with the block that the
// line opens; above everything else of the file, for the whole file.
func RegoWaivers(file string, text []byte) ([]Waiver, diag.List) {
	if !bytes.Contains(text, []byte(waiverMark)) {
		return nil, nil
	}
	doc := &source.Document{File: file, Text: text}
	lines := strings.Split(string(text), "\n")
	var out []Waiver
	var found diag.List
	for i, line := range lines {
		col := commentAt(line)
		if col < 0 || strings.Count(line[:col], `"`)%2 == 1 || strings.Count(line[:col], "`")%2 == 1 {
			continue
		}
		r := &remarkReader{doc: doc, line: i + 1, text: []rune(strings.TrimRight(line, " \t\r")), col: utf8.RuneCountInString(line[:col])}
		one := r.read()
		first, last := ruled(lines, i, strings.TrimSpace(line[:col]) == "")
		one.Within = diag.Span{File: file, Line: first + 1, EndLine: last + 1}
		if len(one.faults) == 0 {
			out = append(out, one.Waiver)
		}
		found.Add(one.faults...)
	}
	return out, found
}

// ruled is the first and the last line, from 0, of what a comment in a line is for.
func ruled(lines []string, at int, own bool) (first, last int) {
	idle := func(line string) bool {
		t := strings.TrimSpace(line)
		return t == "" || t[0] == '#'
	}
	if own {
		above := true
		for _, l := range lines[:at] {
			above = above && idle(l)
		}
		if above {
			return 0, len(lines) - 1
		}
		for from := at; idle(lines[at]); at++ {
			if at == len(lines)-1 {
				return from, from // nothing stands below it
			}
		}
	}
	code, _, _ := strings.Cut(lines[at], " #")
	if code = strings.TrimRight(code, " \t\r"); !strings.HasSuffix(code, "{") && !strings.HasSuffix(code, "(") && !strings.HasSuffix(code, "[") {
		return at, at
	}
	indent := len(lines[at]) - len(strings.TrimLeft(lines[at], " \t"))
	for last = at + 1; last < len(lines)-1; last++ {
		l := lines[last]
		inner := len(l) - len(strings.TrimLeft(l, " \t"))
		if !idle(l) && inner <= indent && !strings.HasSuffix(strings.TrimRight(l, " \t\r"), "{") {
			break
		}
	}
	return at, last
}
