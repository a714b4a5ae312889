package suite

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/policies"
)

// judged is a sample with the lines it wants findings on.
type judged struct {
	Sample
	wanted []string
}

var want = regexp.MustCompile(`#\s*want:\s*([A-Z0-9, ]+)`)

// sample compiles a folder of manifests and compares the rule's findings with the
// lines that end in `# want: CODE`.
func sample(fsys fs.FS, dir string, code diag.Code, rules []*source.File, compile Compile) (judged, error) {
	var out judged
	tree, found, err := Load(fsys, dir)
	if err != nil {
		return out, err
	}
	tree.Rules = append(tree.Rules, rules...)
	found.Add(compile(tree)...)
	out.wanted = Wanted(tree, code)
	var got []string
	for _, f := range found.Sorted() {
		at := fmt.Sprintf("%s:%d", f.At().File, f.At().Line)
		switch {
		case f.Code == code:
			if got = append(got, at); !slices.Contains(out.wanted, at) {
				out.Faults = append(out.Faults, fmt.Sprintf("%s: found, but not wanted: %s", f.At(), f.Message))
			}
		case f.Severity == diag.Error || policies.Failed(diag.List{f}):
			out.Faults = append(out.Faults, fmt.Sprintf("%s: %s: %s", f.At(), f.Code, f.Message))
		}
	}
	for _, at := range out.wanted {
		if !slices.Contains(got, at) {
			out.Faults = append(out.Faults, fmt.Sprintf("%s: wanted, but not found", at))
		}
	}
	return out, nil
}

// Load reads the manifests of a sample, and as the state before it the folder beside
// it whose name has before- in front, where there is one.
func Load(fsys fs.FS, dir string) (*source.Tree, diag.List, error) {
	below, err := fs.Sub(fsys, dir)
	if err != nil {
		return nil, nil, err
	}
	tree, found, err := source.LoadFS(below, source.Options{})
	if err != nil {
		return nil, found, fmt.Errorf("sample %s: %w", dir, err)
	}
	before := path.Join(path.Dir(dir), "before-"+path.Base(dir))
	if _, err := fs.Stat(fsys, before); err != nil {
		return tree, found, nil
	}
	if below, err = fs.Sub(fsys, before); err != nil {
		return nil, nil, err
	}
	var faults diag.List
	tree.Before, faults, err = source.LoadFS(below, source.Options{})
	found.Add(faults...)
	return tree, found, err
}

// Wanted are the lines of a tree that end in `# want: CODE`, as FILE:LINE.
func Wanted(tree *source.Tree, code diag.Code) []string {
	var out []string
	for _, name := range tree.Names() {
		text, _ := tree.Text(name)
		for i, line := range strings.Split(string(text), "\n") {
			m := want.FindStringSubmatch(line)
			if m != nil && slices.Contains(strings.FieldsFunc(m[1], func(r rune) bool { return r == ',' || r == ' ' }), string(code)) {
				out = append(out, fmt.Sprintf("%s:%d", name, i+1))
			}
		}
	}
	return out
}
