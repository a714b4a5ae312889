package suite

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/policies"
)

// LintOptions of a run.
type LintOptions struct {
	// Dir is how the folder is called in findings; "" or ".": not at all.
	Dir string
	// World resolves the manifests of a sample: it gives a proof but for Wanted.
	World func(tree *source.Tree) policies.Proof
	// NoProof leaves out the search for parts that no test needs.
	NoProof bool
}

// Lint judges how the rules below a folder are written and proved. It gives the
// texts that findings point into as well, and how many rules there are.
func Lint(fsys fs.FS, opts LintOptions) (diag.List, map[string][]byte, int, error) {
	files, err := regoBelow(fsys, opts.Dir)
	if err != nil {
		return nil, nil, 0, err
	}
	var all []*source.File
	texts := map[string][]byte{}
	for _, dir := range sortedKeys(files) {
		for _, f := range files[dir] {
			texts[f.Path] = f.Data
		}
		all = append(all, files[dir]...)
	}
	found := policies.Lint(all)
	shared := sharedFiles(files)
	rules := 0
	for _, dir := range sortedKeys(files) {
		own := withShared(files[dir], shared)
		judge, _ := policies.Load(policies.Options{Files: own, NoLibrary: true, Disabled: true})
		for _, rule := range judge.Rules() {
			rules++
			faults, err := proved(fsys, dir, rule, own, opts)
			if err != nil {
				return nil, nil, 0, err
			}
			found.Add(faults...)
		}
	}
	return found.Sorted(), texts, rules, nil
}

// proved finds what is missing of a rule's samples, and what they leave open.
func proved(fsys fs.FS, dir string, rule *policies.Rule, files []*source.File, opts LintOptions) (diag.List, error) {
	names, err := sampleDirs(fsys, dir)
	if err != nil {
		return nil, err
	}
	var found diag.List
	for _, kind := range []string{"good", "bad"} {
		if !slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, kind) }) {
			found.Add(diag.New(policies.CodeSamples, rule.At, "%s has no %s sample", rule.Code, kind).
				WithEffect("people see no %s example of what it judges, and no compiled manifest shows that it is right", kind).
				WithHelp("put manifests into %s%s", path.Join(opts.Dir, dir, kind), map[string]string{"bad": fmt.Sprintf(", each line on which it fires ending in `# want: %s`", rule.Code)}[kind]))
		}
	}
	if opts.NoProof {
		return found, nil
	}
	var proofs []policies.Proof
	for _, name := range names {
		tree, _, err := Load(fsys, path.Join(dir, name))
		if err != nil {
			return nil, err
		}
		p := opts.World(tree)
		p.Wanted = Wanted(tree, rule.Code)
		proofs = append(proofs, p)
	}
	return append(found, policies.Unproved(files, proofs)...), nil
}

// sampleDirs are the folders good, bad, good-* and bad-* of a rule, in order.
func sampleDirs(fsys fs.FS, dir string) ([]string, error) {
	entries, err := fs.ReadDir(fsys, dir)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if kind, _, _ := strings.Cut(e.Name(), "-"); e.IsDir() && (kind == "good" || kind == "bad") {
			out = append(out, e.Name())
		}
	}
	return out, nil
}
