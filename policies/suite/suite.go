// Package suite tests rules: it runs their Rego tests, and holds that each of a
// rule's bad samples fires it on the lines that say so and that no good sample
// does. In comes a folder of rules and a compiler, out come results. It knows
// nothing of what a rule judges.
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

// Compile judges the manifests of a sample and gives every finding.
type Compile func(tree *source.Tree) diag.List

// Options of a run.
type Options struct {
	// Dir is how the folder is called in results; "" or ".": not at all.
	Dir string
	// Library: the rules are those that are compiled in, so samples need not bring them.
	Library bool
	// Only picks tests and samples by name; nil: all.
	Only func(name string) bool
	// Cover notes what the Rego tests reach; nil: nobody does.
	Cover *policies.Coverage
}

// Result is what became of one rule's tests and samples.
type Result struct {
	Dir      string // the rule's folder
	Code     diag.Code
	Tests    []policies.TestResult
	Samples  []Sample
	Findings diag.List // the rule could not be tested
}

// Sample is a folder of manifests beside a rule: good, bad, or one whose name
// begins with good- or bad-.
type Sample struct {
	Dir    string
	Bad    bool
	Faults []string // how it differs from what it should be; none: it passed
}

// Passed tells whether everything of the rule passed, and there was something.
func (r Result) Passed() bool {
	if len(r.Findings) > 0 || len(r.Tests)+len(r.Samples) == 0 {
		return false
	}
	return !slices.ContainsFunc(r.Tests, func(t policies.TestResult) bool { return !t.Passed }) &&
		!slices.ContainsFunc(r.Samples, func(s Sample) bool { return len(s.Faults) > 0 })
}

// Run tests every rule below a folder. A rule's folder is one with a Rego file.
// Files of functions that rules share are given to all of them.
func Run(fsys fs.FS, compile Compile, opts Options) ([]Result, error) {
	files, err := regoBelow(fsys, opts.Dir)
	if err != nil {
		return nil, err
	}
	shared := sharedFiles(files)
	var out []Result
	for _, dir := range sortedKeys(files) {
		r, err := one(fsys, dir, files[dir], shared, compile, opts)
		if err != nil {
			return nil, err
		}
		if r != nil {
			out = append(out, *r)
		}
	}
	return out, nil
}

// regoBelow are the Rego files below a folder, by the folder they lie in.
func regoBelow(fsys fs.FS, as string) (map[string][]*source.File, error) {
	files := map[string][]*source.File{}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(name) != ".rego" {
			return err
		}
		text, err := fs.ReadFile(fsys, name)
		files[path.Dir(name)] = append(files[path.Dir(name)], &source.File{Path: path.Join(as, name), Data: text})
		return err
	})
	return files, err
}

// withShared are a rule's files with those that rules share.
func withShared(files, shared []*source.File) []*source.File {
	all := slices.Clone(files)
	for _, s := range shared {
		if !slices.ContainsFunc(all, func(f *source.File) bool { return f.Path == s.Path }) {
			all = append(all, s)
		}
	}
	return all
}

// one tests the rule of one folder; nil when the folder holds none.
func one(fsys fs.FS, dir string, files, shared []*source.File, compile Compile, opts Options) (*Result, error) {
	r := &Result{Dir: path.Join(opts.Dir, dir)}
	all := withShared(files, shared)
	judge, found := policies.Load(policies.Options{Files: all, NoLibrary: true, Disabled: true})
	for _, rule := range judge.Rules() {
		r.Code = rule.Code
	}
	r.Findings.Add(found...)
	if r.Code == "" && len(found) == 0 && !slices.ContainsFunc(files, func(f *source.File) bool { return strings.HasSuffix(f.Path, "_test.rego") }) {
		return nil, nil
	}
	var faults diag.List
	r.Tests, faults = opts.Cover.Test(all, opts.Only)
	if len(found) == 0 {
		r.Findings.Add(faults...)
	}
	if len(r.Findings) > 0 || r.Code == "" {
		return r, nil
	}
	samples, err := sampleDirs(fsys, dir)
	if err != nil {
		return nil, err
	}
	for _, own := range samples {
		name := path.Join(r.Dir, own)
		if opts.Only != nil && !opts.Only(name) {
			continue
		}
		if opts.Library {
			all = nil
		}
		s, err := sample(fsys, path.Join(dir, own), r.Code, all, compile)
		if err != nil {
			return nil, err
		}
		s.Dir, s.Bad = name, strings.HasPrefix(own, "bad")
		if s.Bad && len(s.wanted) == 0 {
			s.Faults = append(s.Faults, fmt.Sprintf("no line says `# want: %s`", r.Code))
		}
		r.Samples = append(r.Samples, s.Sample)
	}
	return r, nil
}

// sharedFiles are the Rego files without a rule, but for tests.
func sharedFiles(files map[string][]*source.File) []*source.File {
	var out []*source.File
	for _, dir := range sortedKeys(files) {
		for _, f := range files[dir] {
			if !strings.HasSuffix(f.Path, "_test.rego") && !strings.Contains(string(f.Data), "# METADATA") {
				out = append(out, f)
			}
		}
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
