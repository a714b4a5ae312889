package source_test

import (
	"bytes"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/test/fuzz/guard"
)

// isolated makes every way out of the process a failure that a test can see: a
// request over HTTP, and a program (git, helm) that kustomize would run. It
// returns what was tried since it was last asked.
func isolated(t testing.TB) (tried func() string) {
	t.Helper()
	bin, mark := t.TempDir(), filepath.Join(t.TempDir(), "ran")
	for _, name := range []string{"git", "helm", "sh", "bash", "docker", "kustomize"} {
		script := "#!/bin/sh\necho \"$0 $*\" >> '" + mark + "'\nexit 1\n"
		if err := os.WriteFile(filepath.Join(bin, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin)
	wire := &cut{}
	before := http.DefaultTransport
	http.DefaultTransport = wire
	t.Cleanup(func() { http.DefaultTransport = before })
	return func() string {
		out := strings.Join(wire.asked, " ")
		wire.asked = nil
		if ran, err := os.ReadFile(mark); err == nil {
			out += string(ran)
			_ = os.Remove(mark)
		}
		return out
	}
}

// cut is a network that carries nothing and remembers what was asked of it.
type cut struct{ asked []string }

func (c *cut) RoundTrip(r *http.Request) (*http.Response, error) {
	c.asked = append(c.asked, r.URL.String())
	return nil, fs.ErrPermission
}

// files lays out in memory what stands below each line `-- NAME --` (as in txtar,
// whose own parser takes no hostile input); names that no file can have are left
// out, and so are those above the name of another file.
func files(archive []byte) fstest.MapFS {
	out := fstest.MapFS{}
	var into *fstest.MapFile
	for _, line := range bytes.SplitAfter(archive, []byte("\n")) {
		name, marked := bytes.CutPrefix(bytes.TrimSpace(line), []byte("-- "))
		name, closed := bytes.CutSuffix(name, []byte(" --"))
		if !marked || !closed {
			if into != nil {
				into.Data = append(into.Data, line...)
			}
			continue
		}
		into = &fstest.MapFile{Mode: 0o644}
		if fs.ValidPath(string(name)) && string(name) != "." && len(out) < 64 {
			out[string(name)] = into
		}
	}
	for name := range out {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			delete(out, dir)
		}
	}
	return out
}

// Whatever a tree of kustomizations says, nothing is fetched and no program
// runs, memory stays in proportion, what cannot be rendered is a finding with a
// place, and what is rendered came from a file of the tree.
func FuzzKustomize(f *testing.F) {
	seeds, err := filepath.Glob("../syntax/testdata/kustomize_*.txtar")
	if err != nil || len(seeds) == 0 {
		f.Fatal("no story of a kustomization was found", err)
	}
	for _, name := range append(seeds, "../../test/golden/testdata/kustomize_overlay.txtar") {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	for _, tree := range fetching {
		f.Add([]byte("-- kustomization.yaml --\n" + tree + "-- a.yaml --\n" + account))
	}
	tried := isolated(f)
	limits := source.Limits{FileBytes: 1 << 16, TotalBytes: 1 << 20, Documents: 100, Depth: 60, Nodes: 5000, Reads: 200}
	f.Fuzz(func(t *testing.T, archive []byte) {
		fsys := files(archive)
		if _, ok := fsys["kustomization.yaml"]; !ok || len(archive) > 1<<14 {
			return
		}
		guard.Run(t, 256<<20, func() {
			tree, found, err := source.LoadFS(fsys, source.Options{Limits: limits})
			if err != nil && len(found) == 0 {
				t.Errorf("%v, and no finding says so", err)
			}
			for _, x := range found {
				if at := x.At(); at.File == "" || at.Line < 1 || at.Col < 1 {
					t.Errorf("%s %q stands nowhere: %+v", x.Code, x.Message, at)
				}
			}
			for _, b := range tree.Builds {
				for _, r := range b.Resources {
					if _, ok := fsys[r.Base]; !ok && r.Base != "" {
						t.Errorf("an object comes from %q, which is no file of the tree", r.Base)
					}
				}
			}
		})
		if way := tried(); way != "" {
			t.Errorf("it reached out: %s", way)
		}
	})
}

// fetching are kustomizations that would have kustomize fetch or run something.
var fetching = map[string]string{
	"a file over HTTP":        "resources: [a.yaml, 'https://example.com/a.yaml']\n",
	"in capital letters":      "resources: ['HTTPS://example.com/a.yaml']\n",
	"a repository":            "resources: ['github.com/example/shop//base?ref=v1']\n",
	"a repository with www":   "resources: ['www.github.com/example/shop']\n",
	"a repository over ssh":   "resources: ['git@example.com:shop/base.git']\n",
	"another user over ssh":   "resources: ['org-1@example.com:shop/base.git']\n",
	"a forced repository":     "resources: ['git::example.com/shop']\n",
	"a gh shorthand":          "resources: ['gh:example/shop']\n",
	"a repository in a file":  "resources: ['file:///etc']\n",
	"another host":            "resources: ['example.com/shop.git//base']\n",
	"a cloud's host":          "resources: ['git-codecommit.eu-west-1.amazonaws.com/v1/repos/shop']\n",
	"an underscore":           "resources: ['dev.azure.com/org/_git/shop']\n",
	"a base":                  "bases: ['https://example.com/shop//base']\n",
	"a component":             "components: ['https://example.com/shop']\n",
	"a CRD":                   "crds: ['https://example.com/crd.json']\n",
	"a configuration":         "resources: [a.yaml]\nconfigurations: ['https://example.com/c.yaml']\n",
	"a patch":                 "resources: [a.yaml]\npatches: [{path: 'https://example.com/p.yaml'}]\n",
	"a merge patch":           "resources: [a.yaml]\npatchesStrategicMerge: ['https://example.com/p.yaml']\n",
	"a JSON patch":            "resources: [a.yaml]\npatchesJson6902: [{path: 'https://example.com/p.yaml', target: {kind: ServiceAccount, name: web, version: v1}}]\n",
	"a replacement":           "resources: [a.yaml]\nreplacements: [{path: 'https://example.com/r.yaml'}]\n",
	"a generator's file":      "configMapGenerator: [{name: a, files: ['k=https://example.com/f']}]\n",
	"a generator's variables": "secretGenerator: [{name: a, envs: ['https://example.com/e']}]\n",
	"a generator":             "generators: ['https://example.com/g.yaml']\n",
	"a transformer":           "resources: [a.yaml]\ntransformers: ['https://example.com/t.yaml']\n",
	"a transformer in place":  "resources: [a.yaml]\ntransformers:\n- |-\n  apiVersion: builtin\n  kind: PatchTransformer\n  metadata: {name: t}\n  path: https://example.com/p.yaml\n",
	"a program":               "resources: [a.yaml]\ntransformers:\n- |-\n  apiVersion: example.com/v1\n  kind: T\n  metadata:\n    name: t\n    annotations: {config.kubernetes.io/function: 'exec: {path: sh}'}\n",
	"a validator":             "resources: [a.yaml]\nvalidators: ['https://example.com/v.yaml']\n",
	"a chart":                 "helmCharts: [{name: shop, repo: 'https://example.com/charts'}]\n",
	"a schema":                "resources: [a.yaml]\nopenapi: {path: 'https://example.com/s.json'}\n",
	"hidden behind an anchor": "resources: &r ['https://example.com/a.yaml']\nbases: *r\n",
	"hidden by a merge key":   "x: &x {resources: ['https://example.com/a.yaml']}\n<<: *x\n",
	"a second document":       "resources: [a.yaml]\n---\nresources: ['https://example.com/a.yaml']\n",
	"a doubled key":           "resources: [a.yaml]\nresources: ['https://example.com/a.yaml']\n",
	"a space before it":       "resources: [' https://example.com/a.yaml']\n",
}

// A build reads the repository and nothing else: what was not reviewed must not
// be in it, and a build must not tell the network where it runs.
func TestNothingIsFetchedOrRun(t *testing.T) {
	tried := isolated(t)
	for what, text := range fetching {
		tree, found, err := source.LoadFS(files([]byte("-- kustomization.yaml --\n"+text+"-- a.yaml --\n"+account)), source.Options{})
		if err == nil && !found.HasErrors() {
			t.Errorf("%s: it was built: %v", what, tree.Builds)
		}
		if way := tried(); way != "" {
			t.Errorf("%s: it reached out: %s", what, way)
		}
	}
	// The ways out are watched: without the guard in front of it kustomize takes them.
	if resp, err := http.Get("https://example.com/"); err == nil {
		_ = resp.Body.Close()
		t.Error("the network is not cut")
	}
	if tried() == "" {
		t.Error("a request over HTTP is not noticed")
	}
}
