package compiler_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/test/fuzz/guard"
)

const (
	accountHead = "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: web\n  namespace: shop\n"
	group       = "apiVersion: specs.smi-spec.io/v1alpha4\nkind: HTTPRouteGroup\nmetadata: {name: g, namespace: shop}\nspec: {matches: [{name: m, pathRegex: %q}]}\n"
)

// bomb is text of half a kilobyte that is more than a gigabyte when its aliases are followed.
func bomb(indent string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%sa0: &a0 [xxxxxxxxxx, xxxxxxxxxx, xxxxxxxxxx, xxxxxxxxxx, xxxxxxxxxx, xxxxxxxxxx, xxxxxxxxxx, xxxxxxxxxx, xxxxxxxxxx, xxxxxxxxxx]\n", indent)
	for i := 1; i < 8; i++ {
		fmt.Fprintf(&b, "%sa%d: &a%d [%s]\n", indent, i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
	}
	return b.String()
}

func repeat(n int, line func(i int) string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(line(i))
	}
	return b.String()
}

// doubling is kustomizations of which each builds the next one twice.
func doubling(levels int) fstest.MapFS {
	out := fstest.MapFS{"base/kustomization.yaml": {Data: []byte("resources: [a.yaml]\n")}, "base/a.yaml": {Data: []byte(accountHead)}}
	below := "../base"
	for i := range levels {
		for _, side := range []string{"l", "r"} {
			out[fmt.Sprintf("%s%d/kustomization.yaml", side, i)] = &fstest.MapFile{Data: fmt.Appendf(nil, "namePrefix: %s-\nresources: [%s]\n", side, below)}
		}
		out[fmt.Sprintf("n%d/kustomization.yaml", i)] = &fstest.MapFile{Data: fmt.Appendf(nil, "resources: [../l%d, ../r%d]\n", i, i)}
		below = fmt.Sprintf("../n%d", i)
	}
	out["kustomization.yaml"] = &fstest.MapFile{Data: []byte("resources: [" + strings.TrimPrefix(below, "../") + "]\n")}
	return out
}

func one(name, text string) fstest.MapFS { return fstest.MapFS{name: {Data: []byte(text)}} }

func kustomized(kustomization, resource string) fstest.MapFS {
	return fstest.MapFS{"kustomization.yaml": {Data: []byte(kustomization)}, "a.yaml": {Data: []byte(resource)}}
}

// A tree that somebody made to take the builder down is refused: with findings,
// and with no more time and memory than trees of its size take.
func TestHostileTreesAreRefused(t *testing.T) {
	for what, c := range map[string]struct {
		tree fstest.MapFS
		code diag.Code
	}{
		"lists nested without end":         {one("a.yaml", accountHead+"x: "+strings.Repeat("[", 200_000)), "MSH0040"},
		"lists nested and closed":          {one("a.yaml", accountHead+"x: "+strings.Repeat("[", 5000)+strings.Repeat("]", 5000)), "MSH0020"},
		"maps nested without end":          {one("a.yaml", accountHead+"x: "+strings.Repeat("{a: ", 200_000)), "MSH0040"},
		"blocks nested":                    {one("a.yaml", accountHead+"x:\n"+repeat(2000, func(i int) string { return strings.Repeat(" ", i+1) + "a:\n" })), "MSH0020"},
		"list entries nested":              {one("a.yaml", accountHead+"x:\n  "+strings.Repeat("- ", 50_000)+"a\n"), "MSH0040"},
		"aliases of a gigabyte":            {one("a.yaml", accountHead+"  annotations:\n"+bomb("    ")), "MSH0021"},
		"aliases in meshc.yaml":            {one("meshc.yaml", "apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata: {name: x}\nspec:\n"+bomb("  ")), "MSH0021"},
		"aliases in a kustomization":       {kustomized("resources: [a.yaml]\ncommonAnnotations:\n"+bomb("  "), accountHead), "MSH0021"},
		"aliases in a kustomized resource": {kustomized("resources: [a.yaml]\n", accountHead+"  annotations:\n"+bomb("    ")), "MSH0021"},
		"aliases in a patch":               {kustomized("resources: [a.yaml]\npatches:\n- patch: |-\n    apiVersion: v1\n    kind: ServiceAccount\n    metadata:\n      name: web\n      namespace: shop\n      annotations:\n"+bomb("        "), accountHead), "MSH0021"},
		"a merge of many keys":             {one("a.yaml", accountHead+"x: &x\n"+repeat(150_000, func(i int) string { return fmt.Sprintf("  k%d: v\n", i) })+"y:\n  <<: *x\n"), "MSH0101"},
		"many unknown fields":              {one("a.yaml", accountHead+repeat(100_000, func(i int) string { return fmt.Sprintf("fie%dld: v\n", i) })), "MSH0101"},
		"many values of a wrong type":      {one("a.yaml", accountHead+"secrets:\n"+strings.Repeat("- 1\n", 100_000)), "MSH0102"},
		"many faults in one line":          {one("a.yaml", accountHead+"secrets: ["+strings.Repeat("{nam: \"ü\"}, ", 100_000)+"]\n"), "MSH0101"},
		"many keys twice":                  {one("a.yaml", accountHead+"x:\n"+strings.Repeat("- {a: 1, a: 2}\n", 50_000)), "MSH0103"},
		"many documents":                   {one("a.yaml", strings.Repeat("---\na: b\n", 25_000)), "MSH0019"},
		"an expression of a megabyte":      {one("a.yaml", fmt.Sprintf(group, strings.Repeat("/a[bc]", 200_000))), ""},
		"repetitions of repetitions":       {one("a.yaml", fmt.Sprintf(group, "/(((((a{30}){30}){30}){30}){30})")), ""},
		"alternatives of alternatives":     {one("a.yaml", fmt.Sprintf(group, strings.Repeat("(", 900)+"a"+strings.Repeat("|b)*", 900))), ""},
		"kustomizations that double":       {doubling(24), "MSH0014"},
		"kustomizations in a circle":       {fstest.MapFS{"kustomization.yaml": {Data: []byte("resources: [b]\n")}, "b/kustomization.yaml": {Data: []byte("resources: [../c]\n")}, "c/kustomization.yaml": {Data: []byte("resources: [../b]\n")}}, "MSH0014"},
	} {
		t.Run(what, func(t *testing.T) {
			guard.Run(t, 2<<30, func() {
				tree, found, _ := source.LoadFS(c.tree, source.Options{Limits: source.Limits{Documents: 20_000}})
				result, more := compiler.Compile(tree, ir.Known{}, compiler.Options{})
				found.Add(more...)
				if !found.HasErrors() || result.Plan != nil && len(more) > 0 && more.HasErrors() {
					t.Fatal("it is not refused")
				}
				for _, f := range found {
					if c.code == "" || f.Code == c.code {
						return
					}
				}
				t.Errorf("none of %d findings is %s; the first is %s: %s", len(found), c.code, found[0].Code, found[0].Message)
			})
		})
	}
}

// Links that lead in circles are findings, wherever they stand.
func TestCircularLinksAreRefused(t *testing.T) {
	dir := t.TempDir()
	for name, to := range map[string]string{"self": "self", "a.yaml": "b.yaml", "b.yaml": "a.yaml", "up": ".", "x/down": "../x", "k/kustomization.yaml": "kustomization.yaml"} {
		full := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(to, full); err != nil {
			t.Fatal(err)
		}
	}
	guard.Run(t, 64<<20, func() {
		_, found, _ := source.Load(source.Options{Dir: dir})
		seen := map[string]bool{}
		for _, f := range found {
			seen[f.At().File] = true
		}
		for _, name := range []string{"self", "a.yaml", "b.yaml", "up", "x/down"} {
			if !seen[name] {
				t.Errorf("nothing is said of the link %s: %v", name, found)
			}
		}
		for _, name := range []string{"k", "k/kustomization.yaml", "self"} {
			if _, _, err := source.Load(source.Options{Dir: dir, Paths: []string{name}}); err == nil && name != "k" {
				t.Errorf("%s, which leads to itself, is read", name)
			}
		}
	})
}
