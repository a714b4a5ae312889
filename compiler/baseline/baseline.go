// Package baseline holds the findings that a team found when it began and mends
// later: they are shown and do not count. In come the text of a baseline and the
// findings of a run, out come the findings, marked, and what is to be said of the
// baseline itself. It lifts nothing that a waiver could not, and knows no files.
package baseline

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/meshc/meshc/compiler/diag"
)

// title is the first line of a baseline; the number grows when its lines change.
const title = "# meshc baseline v1"

// head tells who opens the file what it is.
const head = title + `
# Findings that were there when this was written: shown, and not counted. Mend one
# and delete its line; meshc check --write-baseline writes the file anew.
`

// Baseline is the findings that are accepted because they are old. A nil one
// accepts nothing.
type Baseline struct{ entries []entry }

// entry is a line: what is matched, and what is there for the reader.
type entry struct {
	code    diag.Code
	mark    string
	object  string
	message string
	at      diag.Span
}

// Of is the baseline of the findings of a run: all that may be accepted and that
// no waiver accepts. left is how many others count and stay.
func Of(found diag.List) (b *Baseline, left int) {
	found = found.Sorted()
	b = &Baseline{}
	for i, mark := range found.Marks() {
		f := &found[i]
		switch {
		case f.Waiver != nil:
		case !f.Code.Waivable():
			left++
		default:
			b.entries = append(b.entries, entry{code: f.Code, mark: mark, object: objectOf(f), message: oneLine(f.Message)})
		}
	}
	return b, left
}

// And is the findings of two runs, such as those of two environments.
func (b *Baseline) And(other *Baseline) *Baseline {
	return &Baseline{append(slices.Clone(b.entries), other.entries...)}
}

// Len counts the entries.
func (b *Baseline) Len() int { return len(b.sorted()) }

// Print writes a baseline as Parse reads it: one finding a line, sorted, so that
// branches that mend different findings merge.
func (b *Baseline) Print() []byte {
	out := bytes.NewBufferString(head)
	for _, e := range b.sorted() {
		fmt.Fprintf(out, "%s %s %s %s\n", e.code, e.object, e.mark, e.message)
	}
	return out.Bytes()
}

// sorted is the entries in order, each once.
func (b *Baseline) sorted() []entry {
	out := slices.SortedStableFunc(slices.Values(b.entries), func(x, y entry) int {
		return cmp.Or(cmp.Compare(x.code, y.code), cmp.Compare(x.object, y.object), cmp.Compare(x.mark, y.mark))
	})
	return slices.CompactFunc(out, func(x, y entry) bool { return x.code == y.code && x.mark == y.mark })
}

// Apply marks the findings of a whole run that the baseline has, and adds a note
// for each entry that nothing was found for. What a waiver accepts stays its.
func (b *Baseline) Apply(found diag.List) diag.List {
	if b == nil {
		return found
	}
	type key struct {
		code diag.Code
		mark string
	}
	known, used := map[key]bool{}, map[key]bool{}
	for _, e := range b.entries {
		known[key{e.code, e.mark}] = e.code.Waivable()
	}
	out := found.Sorted()
	for i, mark := range out.Marks() {
		f := &out[i]
		k := key{f.Code, mark}
		if !known[k] {
			continue
		}
		used[k] = true
		f.Known = f.Waiver == nil
	}
	for _, e := range b.entries {
		if k := (key{e.code, e.mark}); !used[k] && e.code.Waivable() {
			used[k] = true // told once, however often a merge has written it
			out.Add(e.unneeded())
		}
	}
	return out.Sorted()
}

// unneeded is what is said of an entry that nothing was found for.
func (e entry) unneeded() diag.Finding {
	about := e.object
	if about == nobody {
		about = "the mesh"
	}
	next := diag.Span{File: e.at.File, Line: e.at.Line, Col: 1, EndLine: e.at.Line + 1, EndCol: 1}
	return diag.New(CodeUnneeded, e.at, "nothing was found that the baseline's %s on %s is for", e.code, about).
		WithHelp("it is mended, or was said of something else: delete the line, so that it cannot come back unseen").
		WithFix("delete the line", diag.Edit{Span: next})
}

// The codes of what is said of a baseline itself.
const (
	CodeDamaged  diag.Code = "MSH0906"
	CodeUnneeded diag.Code = "MSH0907"
)

// nobody stands for the object of a finding that is about none.
const nobody = "-"

// objectOf is the object's name without spaces, which separate what a line holds.
func objectOf(f *diag.Finding) string {
	if f.Object == nil {
		return nobody
	}
	return strings.ReplaceAll(oneLine(f.Object.String()), " ", "_")
}

// oneLine makes text of other people fit on a line.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, "?"), func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	}), " ")
}
