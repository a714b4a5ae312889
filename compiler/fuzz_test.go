package compiler_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/diff"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/resolve"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/test/fuzz/guard"
)

// document is one document of an example, which a fuzzer puts another in place of.
type document struct {
	example int
	path    string // that the tree gives it; the configuration keeps its own
	text    []byte
}

// documents takes the examples apart, and ends with a place for one more
// document in each of them.
func documents(t testing.TB) []document {
	t.Helper()
	dirs, err := filepath.Glob("../examples/0[2-3]*") // small ones: each input is a whole compilation
	if err != nil || len(dirs) != 2 {
		t.Fatal("the examples are not there", err)
	}
	var out []document
	for i, dir := range dirs {
		tree, _, err := source.Load(source.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, document{i, source.ConfigName, tree.Config.Data})
		for _, f := range tree.Files {
			docs, _ := source.Split(f.Path, f.Data, tree.Limits.Documents)
			for _, d := range docs {
				out = append(out, document{i, strings.TrimSuffix(f.Path, ".yaml") + "-" + string(rune('a'+len(out)%26)) + "/" + strings.ReplaceAll(d.Point(1, 1).String(), ":", "-") + ".yaml", d.Text})
			}
		}
	}
	for i := range dirs {
		out = append(out, document{i, "more.yaml", nil})
	}
	return out
}

// treeOf is the example of a document with another text in its place.
func treeOf(all []document, place int, text []byte) *source.Tree {
	files := map[string][]byte{}
	for i, d := range all {
		switch {
		case i == place:
			files[d.path] = text
		case d.example == all[place].example && d.text != nil:
			files[d.path] = d.text
		}
	}
	return source.FromMap(files)
}

// policies are the kinds that may open something.
var policies = []string{"TrafficTarget", "HTTPRouteGroup", "TCPRoute", "UDPRoute", "IdentityBinding", "TrafficSplit"}

// Whatever stands in place of a document of a mesh: the compiler ends in
// findings that stand somewhere, or in a plan that does what the mesh says; an
// error leaves no plan; and a policy that could not be decoded opens nothing
// that would not be open without it.
func FuzzCompile(f *testing.F) {
	all := documents(f)
	for i, d := range all {
		f.Add(uint16(i), d.text)
	}
	for _, e := range diag.Codes() {
		if strings.Contains(e.Bad, "kind:") {
			f.Add(uint16(len(all)-1), []byte(e.Bad)) // one more document of the last example
		}
	}
	f.Fuzz(func(t *testing.T, place uint16, text []byte) {
		if len(text) > 1<<13 {
			return // more of the same
		}
		guard.Run(t, 1<<30, func() {
			tree := treeOf(all, int(place)%len(all), text)
			result, found := compiler.Compile(tree, ir.Known{}, compiler.Options{NoRules: true})
			for _, x := range found {
				if x.Code == compiler.CodeInternal || x.Code == compiler.CodeUnfaithful {
					t.Errorf("meshc has a defect: %s", x.Message)
				}
				if at := x.At(); at.File == "" || at.Line < 1 || at.Col < 1 {
					t.Errorf("%s %q stands nowhere: %+v", x.Code, x.Message, at)
				}
			}
			if found.HasErrors() == (result.Plan != nil) {
				t.Errorf("plan: %v, errors: %v", result.Plan != nil, found.HasErrors())
			}
			undecodedOpensNothing(t, tree)
		})
	})
}

// undecodedOpensNothing holds the mesh against what it is without the policies
// that had faults.
func undecodedOpensNothing(t *testing.T, tree *source.Tree) {
	t.Helper()
	files, _ := syntax.Parse(tree)
	whole := *files
	whole.Objects = slices.DeleteFunc(slices.Clone(files.Objects), func(o *syntax.Object) bool {
		return o.Invalid && slices.Contains(policies, o.Kind)
	})
	if len(whole.Objects) == len(files.Objects) {
		return
	}
	with, _, _, _ := resolve.Mesh(files, ir.Known{}, resolve.Options{})
	without, _, _, _ := resolve.Mesh(&whole, ir.Known{}, resolve.Options{})
	for _, c := range diff.Meshes(without, with).Widening() {
		if c.Kind != diff.Service && c.Kind != diff.Split { // where calls go, not who may make them
			t.Errorf("a policy that was not decoded opens something: %s", c.Text)
		}
	}
}
