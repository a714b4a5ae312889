package fix

import (
	"bytes"
	"cmp"
	"errors"
	"slices"

	"github.com/meshc/meshc/compiler/diag"
)

// rounds bounds how often fixes are made anew of what the last ones brought to
// light: each round reads a document further, and documents are not deep.
const rounds = 20

// Run says how fixes are made.
type Run struct {
	// Text is the content of a file now.
	Text func(file string) ([]byte, bool)
	// Closed says why a file is not to be changed; "": it may be.
	Closed func(file string) string
	// Shared tells what an edit changes at once: how many values the text stands for, 0
	// where that is not known, and what is said of it. nil: a text is one value.
	Shared func(diag.Edit) (uses int, what string)
	// Compile takes over files that were changed and gives what is found then.
	Compile func(changed []File) diag.List
}

// File is a file with another text.
type File struct {
	Path          string
	Before, After []byte
}

// Made is a fix that was made, and what was found.
type Made struct {
	Finding diag.Finding
	Fix     diag.Fix
}

// Refused is a fix that was not made.
type Refused struct {
	Made
	Why string
}

// Result is what fixing came to.
type Result struct {
	Files   []File // in order of path
	Made    []Made
	Refused []Refused
	Left    diag.List // what is found afterwards
}

// All makes the first fix of every finding that counts, compiles, and goes on until
// there is none left to make. A fix that did not help is not tried again, so that a
// second run finds nothing to do.
func (r Run) All(found diag.List) Result {
	out := Result{Left: found}
	tried := map[string]bool{}
	for range rounds {
		var open []Made
		out.Refused = nil
		for i, id := range out.Left.Marks() {
			f := out.Left[i]
			switch {
			case !f.Counts() || len(f.Fixes) == 0:
			case tried[id]: // or one like it, in whose place it is counted now
				m := Made{f, f.Fixes[0]}
				out.refuse(m, cmp.Or(r.shared(m, out.Left), "it was made and did not help"))
			default:
				open = append(open, Made{f, f.Fixes[0]})
			}
		}
		changed := r.round(&out, open, tried)
		if len(changed) == 0 {
			break
		}
		out.merge(changed)
		out.Left = r.Compile(changed).Sorted()
	}
	return out
}

func (out *Result) refuse(m Made, why string) { out.Refused = append(out.Refused, Refused{m, why}) }

// round makes the fixes that go together: of two that overlap the first.
func (r Run) round(out *Result, open []Made, tried map[string]bool) []File {
	edits := map[string][]diag.Edit{}
	var files []string
	ids := marksOf(open)
	for i, m := range open {
		if why := r.closed(m.Fix); why != "" {
			out.refuse(m, why)
			continue
		}
		if why := r.shared(m, out.Left); why != "" {
			out.refuse(m, why)
			continue
		}
		if made(m.Fix, open[:i], ids, tried) { // of another value that the same text is
			tried[ids[i]] = true
			out.Made = append(out.Made, m)
			continue
		}
		if err := r.fits(m.Fix, edits); err != nil {
			out.refuse(m, err.Error())
			continue
		}
		for _, e := range m.Fix.Edits {
			if len(edits[e.File]) == 0 {
				files = append(files, e.File)
			}
			edits[e.File] = append(edits[e.File], e)
		}
		tried[ids[i]] = true
		out.Made = append(out.Made, m)
	}
	slices.Sort(files)
	var changed []File
	for _, name := range files {
		before, _ := r.Text(name)
		after, err := Apply(before, edits[name])
		if err == nil && !bytes.Equal(before, after) { // each was tried with those before it
			changed = append(changed, File{name, before, after})
		}
	}
	return changed
}

// closed says why a fix touches what is not to be changed.
func (r Run) closed(f diag.Fix) string {
	for _, e := range f.Edits {
		if why := r.Closed(e.File); why != "" {
			return why
		}
	}
	return ""
}

// shared says why a text that is several values cannot be changed: not all of them are
// found fault with in the same way.
func (r Run) shared(m Made, open diag.List) string {
	if r.Shared == nil {
		return ""
	}
	for _, e := range m.Fix.Edits {
		if uses, what := r.Shared(e); uses != 1 && uses != Alike(m.Finding, open) {
			return what
		}
	}
	return ""
}

// Alike counts the values of which the same is found, with the same first fix.
func Alike(f diag.Finding, found diag.List) int {
	values := map[string]bool{}
	for _, o := range found {
		if o.Code == f.Code && o.Object != nil && len(o.Fixes) > 0 && o.Counts() && slices.Equal(o.Fixes[0].Edits, f.Fixes[0].Edits) {
			values[o.Object.String()+" "+o.Path] = true
		}
	}
	return len(values)
}

// made tells of a fix that one before it, which was made in this round, makes too.
func made(f diag.Fix, before []Made, ids []string, tried map[string]bool) bool {
	for i, o := range before {
		if tried[ids[i]] && len(f.Edits) > 0 && slices.Equal(o.Fix.Edits, f.Edits) {
			return true
		}
	}
	return false
}

// fits tries a fix beside the edits chosen before it.
func (r Run) fits(f diag.Fix, chosen map[string][]diag.Edit) error {
	own := map[string][]diag.Edit{}
	for _, e := range f.Edits {
		own[e.File] = append(own[e.File], e)
	}
	for _, e := range f.Edits {
		text, ok := r.Text(e.File)
		if !ok {
			return errors.New("its file is not at hand")
		}
		places, err := locate(text, slices.Concat(chosen[e.File], own[e.File]))
		if err != nil {
			return err
		}
		for i := 1; i < len(places); i++ {
			// Two insertions at one place would stand in an order that nobody chose.
			if a, b := places[i-1], places[i]; b.from < a.to || b.from == a.from {
				return ErrOverlap
			}
		}
	}
	return nil
}

func marksOf(open []Made) []string {
	l := make(diag.List, len(open))
	for i, m := range open {
		l[i] = m.Finding
	}
	return l.Marks()
}

// merge keeps the text that a file had at first and the one it has now.
func (out *Result) merge(changed []File) {
	for _, c := range changed {
		if i := slices.IndexFunc(out.Files, func(f File) bool { return f.Path == c.Path }); i >= 0 {
			out.Files[i].After = c.After
		} else {
			out.Files = append(out.Files, c)
		}
	}
	out.Files = slices.DeleteFunc(out.Files, func(f File) bool { return bytes.Equal(f.Before, f.After) })
	slices.SortFunc(out.Files, func(a, b File) int { return bytes.Compare([]byte(a.Path), []byte(b.Path)) })
}
