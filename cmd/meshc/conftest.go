package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/policies/conftest"
	"github.com/meshc/meshc/policies/suite"
)

// compatFlags run policies that were written for another tool.
type compatFlags struct {
	compat        string
	policy        []string
	data          []string
	namespaces    []string
	allNamespaces bool
	combine       bool
}

func (f *compatFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.compat, "compat", "", "run policies of another `TOOL` too: conftest")
	flags.StringArrayVarP(&f.data, "data", "d", nil, "with --compat: a `FILE` or folder of YAML and JSON, as data; repeatable")
}

// addJudging gives a verb the flags that say what judges which input.
func (f *compatFlags) addJudging(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVarP(&f.policy, "policy", "p", []string{"policy"}, "with --compat: a `FILE` or folder of policies; repeatable")
	flags.StringArrayVarP(&f.namespaces, "namespace", "n", []string{"main"}, "with --compat: a `PACKAGE` whose rules judge; repeatable")
	flags.BoolVar(&f.allNamespaces, "all-namespaces", false, "with --compat: the rules of every package judge")
	flags.BoolVar(&f.combine, "combine", false, "with --compat: all documents are one input, a list of {path, contents}")
}

func (f *compatFlags) check(cmd *cobra.Command) error {
	switch f.compat {
	case "conftest":
		return nil
	case "":
		for _, name := range []string{"policy", "data", "namespace", "all-namespaces", "combine"} {
			if cmd.Flags().Changed(name) {
				return usage(fmt.Errorf("--%s goes with --compat conftest; rules of meshc lie in the folders of spec.rules.dirs", name))
			}
		}
		return nil
	}
	return usage(fmt.Errorf("--compat %q is not known: conftest is", f.compat))
}

// load reads policies and data from disk, and gives their texts for positions.
func (f *compatFlags) load(paths []string, tests bool) (*conftest.Set, diag.List, diag.Sources, error) {
	rego, err := filesBelow(paths, ".rego")
	if err != nil {
		return nil, nil, nil, input(err)
	}
	if len(rego) == 0 {
		return nil, nil, nil, engine(fmt.Errorf("no file that ends in .rego lies in %q", paths))
	}
	data, err := filesBelow(f.data, ".yaml", ".yml", ".json")
	if err != nil {
		return nil, nil, nil, input(err)
	}
	set, found := conftest.Load(conftest.Options{Policies: rego, Data: data, Namespaces: f.namespaces, AllNamespaces: f.allNamespaces || tests, TestsOnly: tests})
	texts := func(name string) ([]byte, bool) {
		for _, file := range append(slices.Clone(rego), data...) {
			if file.Path == name {
				return file.Data, true
			}
		}
		return nil, false
	}
	return set, found, texts, nil
}

// filesBelow reads files, and those with one of the extensions below folders.
func filesBelow(paths []string, extensions ...string) ([]*source.File, error) {
	var out []*source.File
	for _, p := range paths {
		err := filepath.WalkDir(p, func(name string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() || name != p && !slices.Contains(extensions, filepath.Ext(name)) {
				return err
			}
			text, err := os.ReadFile(name)
			out = append(out, &source.File{Path: filepath.ToSlash(name), Data: text})
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// compatRun judges the trees of a run by the policies.
type compatRun struct {
	*compatFlags
	now       func() time.Time
	texts     diag.Sources // of policies and data, as they were read last
	documents int          // that were judged last
	err       error        // of reading them last: nothing was judged
}

// also judges every document of a tree, with the policies as they are now.
func (r *compatRun) also(tree *source.Tree) diag.List {
	set, found, texts, err := r.load(r.policy, false)
	r.texts, r.err, r.documents = texts, err, 0
	if err != nil || len(found) > 0 {
		return found
	}
	documents := documentsOf(tree)
	r.documents = len(documents)
	return set.Judge(documents, r.combine, r.now())
}

// done tells a compilation what was judged beside it: documents of other kinds, too.
func (r *compatRun) done(c *compilation) error {
	if r == nil || r.err != nil {
		return r.failure()
	}
	if r.texts != nil {
		c.others = append(c.others, r.texts)
	}
	c.Objects = max(c.Objects, r.documents)
	return nil
}

func (r *compatRun) failure() error {
	if r == nil {
		return nil
	}
	return r.err
}

// run is nil without --compat.
func (f *compatFlags) run(judging *judging) *compatRun {
	if f.compat == "" {
		return nil
	}
	return &compatRun{compatFlags: f, now: func() time.Time {
		now, err := judging.time()
		if err != nil {
			return time.Time{} // the compilation says so
		}
		return now
	}}
}

// follows are the paths that the policies are read from.
func (r *compatRun) follows() []string {
	if r == nil {
		return nil
	}
	return append(slices.Clone(r.policy), r.data...)
}

// state names what policies and data say now.
func (r *compatRun) state() (out [sha256.Size]byte) {
	if r == nil {
		return out
	}
	h := sha256.New()
	for _, kind := range []struct {
		paths      []string
		extensions []string
	}{{r.policy, []string{".rego"}}, {r.data, []string{".yaml", ".yml", ".json"}}} {
		files, err := filesBelow(kind.paths, kind.extensions...)
		fmt.Fprintf(h, "%d %v ", len(files), err)
		for _, f := range files {
			fmt.Fprintf(h, "%q %d %s", f.Path, len(f.Data), f.Data)
		}
	}
	h.Sum(out[:0])
	return out
}

// documentsOf are the documents of a tree, those of kinds that the mesh does not
// read among them; meshc.yaml and verdict tables beside it are not.
func documentsOf(tree *source.Tree) []conftest.Document {
	var out []conftest.Document
	for _, f := range tree.Files {
		if f.TablesOnly {
			continue
		}
		text, _ := source.Clean(f.Path, f.Data)
		docs, _ := source.Split(f.Path, text, tree.Limits.Documents)
		for _, d := range docs {
			at := diag.Span{File: f.Path, Line: d.First + 1, Col: 1}
			own := conftest.Document{File: f.Path, Text: d.Text, At: at}
			if n, found := d.Parse(); n != nil && len(found) == 0 {
				own.At = d.Span(n)
				own.Object, own.At = declared(d, n)
			}
			out = append(out, own)
		}
	}
	places := map[diag.Object]diag.Span{}
	if len(tree.Builds) > 0 {
		files, _ := syntax.Parse(tree)
		for _, o := range files.Objects {
			places[diag.Object{Kind: o.Kind, Namespace: o.Namespace, Name: o.Name}] = o.At("metadata", "name")
		}
	}
	for _, b := range tree.Builds {
		for _, r := range b.Resources {
			out = append(out, renderedDocument(b, r, places))
		}
	}
	return out
}

// declared is what a document declares and where it says its name.
func declared(d *source.Document, root *yaml.Node) (*diag.Object, diag.Span) {
	text := func(n *yaml.Node) string {
		if n == nil || n.Kind != yaml.ScalarNode {
			return ""
		}
		return n.Value
	}
	meta := yamlField(root, "metadata")
	name := yamlField(meta, "name")
	if text(name) == "" || text(yamlField(root, "kind")) == "" {
		return nil, d.Span(root)
	}
	return &diag.Object{Kind: text(yamlField(root, "kind")), Namespace: text(yamlField(meta, "namespace")), Name: text(name)}, d.Span(name)
}

func yamlField(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// renderedDocument is an object of a kustomization, at the place it was written.
func renderedDocument(b *source.Build, r source.Rendered, places map[diag.Object]diag.Span) conftest.Document {
	file := r.Base
	if file == "" {
		file = r.ConfiguredIn
	}
	if file == "" {
		file = b.Kustomization
	}
	own := conftest.Document{File: file, Text: r.YAML, At: diag.Span{File: file, Line: 1, Col: 1}}
	docs, _ := source.Split(file, r.YAML, 1)
	for _, d := range docs {
		if n, found := d.Parse(); n != nil && len(found) == 0 {
			own.Object, _ = declared(d, n)
		}
	}
	if own.Object != nil {
		if at, ok := places[*own.Object]; ok {
			own.At = at
		}
	}
	return own
}

// test runs the tests of policies in folders, as `conftest verify` does.
func (f *compatFlags) test(dirs []string, only *regexp.Regexp) ([]suite.Result, error) {
	var out []suite.Result
	for _, dir := range dirs {
		set, found, _, err := f.load([]string{dir}, true)
		if err != nil {
			return nil, err
		}
		r := suite.Result{Dir: path.Clean(filepath.ToSlash(dir))}
		if r.Findings = found; len(found) == 0 {
			r.Tests = set.Tests(only.MatchString)
		}
		out = append(out, r)
	}
	return out, nil
}
