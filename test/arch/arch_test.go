package arch

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/meshc/meshc/"

// room is a folder with what it may import of this module (prefixes; a folder
// may always import itself and what is below it in the tree under its own name)
// and the packages of elsewhere that it must not know, each with the reason.
type room struct {
	path   string
	may    []string
	mayNot map[string]string
}

const (
	clocks  = "equal input must give equal bytes"
	cancels = "the compiler is a pure function, there is nothing to cancel"
	logs    = "what the compiler has to say are findings"
	worlds  = "the compiler reads nothing but its input"
	protos  = "Envoy types live in compiler/envoy, compiler/verify, xds and dataplane/bootstrap"
	kubes   = "Kubernetes types stop at compiler/syntax, catalog/kube and gitops/live"
)

// pure are the imports no part of the compiler may have.
var pure = map[string]string{
	"context": cancels, "log": logs, "log/slog": logs, "net": worlds, "net/http": worlds, "os": worlds,
	"math/rand": clocks, "math/rand/v2": clocks, "k8s.io/client-go": worlds,
}

func with(base map[string]string, more map[string]string) map[string]string {
	out := map[string]string{}
	for k, v := range base {
		out[k] = v
	}
	for k, v := range more {
		out[k] = v
	}
	return out
}

func without(base map[string]string, names ...string) map[string]string {
	out := with(base, nil)
	for _, n := range names {
		delete(out, n)
	}
	return out
}

var (
	noEnvoy = map[string]string{"github.com/envoyproxy": protos}
	noKube  = map[string]string{"k8s.io": kubes}
	neither = with(noEnvoy, noKube)

	pureRules = with(without(pure, "context"), neither)
)

// ladder is the rooms from the ground up. The first room whose path is a prefix
// of a package rules it, so longer paths stand before shorter ones.
var ladder = []room{
	{"compiler/diag", nil, with(pure, neither)},
	// fix makes edits to texts; who compiles them it is told.
	{"compiler/fix", []string{"compiler/diag"}, with(pure, neither)},
	{"compiler/ir", []string{"compiler/diag"}, with(pure, neither)},
	// memo knows no meaning: functions, what they read, what they made.
	{"compiler/memo", nil, with(pure, neither)},
	// source opens files: it is the one room of the compiler that reads the disk.
	{"compiler/source", []string{"compiler/diag", "compiler/ir"}, with(without(pure, "os"), neither)},
	{"compiler/syntax", []string{"compiler/diag", "compiler/fix", "compiler/ir", "compiler/source"}, with(pure, noEnvoy)},
	{"compiler/resolve", []string{"compiler/diag", "compiler/ir", "compiler/memo", "compiler/source", "compiler/syntax"}, with(pure, neither)},
	{"compiler/check", []string{"compiler/diag", "compiler/diff", "compiler/ir", "compiler/memo", "compiler/source", "compiler/syntax"}, with(pure, neither)},
	{"compiler/envoy", []string{"compiler/diag", "compiler/ir"}, with(pure, noKube)},
	{"compiler/verify", []string{"compiler/diag", "compiler/ir"}, with(pure, noKube)},
	// diff compares two meshes; check asks it whether one expression holds another.
	{"compiler/diff", []string{"compiler/diag", "compiler/ir"}, with(pure, neither)},
	// contract holds decoded and resolved manifests against what a policy elsewhere
	// relies on; it resolves nothing itself, so that admission can give it its mesh.
	{"compiler/contract", []string{"compiler/diag", "compiler/ir", "compiler/syntax"}, with(pure, neither)},
	{"compiler/verdict", []string{"compiler/diag", "compiler/ir", "compiler/source", "compiler/syntax", "compiler/verify"}, with(pure, neither)},
	// allow inserts text into manifests; who compiles the result and writes it is above.
	{"compiler/allow", []string{"compiler/diag", "compiler/ir", "compiler/source", "compiler/syntax"}, with(pure, neither)},
	// graph draws a mesh; what is true of it others decide.
	{"compiler/graph", []string{"compiler/ir"}, with(pure, neither)},
	// waive is given the time of judgement: it decides for builds, admission and audits alike.
	{"compiler/waive", []string{"compiler/diag", "compiler/fix", "compiler/source", "compiler/syntax"}, with(pure, neither)},
	// baseline is given the text of its file: who reads it knows where it lies.
	{"compiler/baseline", []string{"compiler/diag"}, with(pure, neither)},
	// bundle writes folders: write, sync, rename.
	{"compiler/bundle", []string{"compiler/diag", "compiler/ir"}, with(without(pure, "os"), neither)},
	// audit measures how long rules hold others up: it is asked by who runs, not by builds.
	{"compiler/audit", []string{"compiler", "policies"}, with(pure, neither)},
	{"compiler", []string{"compiler", "policies"}, with(pure, neither)},
	// suite runs the tests of rules: it reads their folders, and is given the compiler.
	{"policies/suite", []string{"policies", "compiler/diag", "compiler/source"}, without(pureRules, "os")},
	// sieve knows Rego's syntax, and nothing of meshes.
	{"policies/sieve", nil, with(pure, neither)},
	// policies needs a context and a clock for its guard: OPA takes one, and a call
	// that cannot be counted is bounded by time.
	{"policies", []string{"policies/sieve", "compiler/diag", "compiler/ir", "compiler/source", "compiler/syntax"}, pureRules},
	// kube is where API servers are read: it makes snapshots of Kubernetes types, and they stop there.
	{"catalog/kube", []string{"catalog", "compiler/diag", "compiler/ir"}, noEnvoy},
	{"catalog", []string{"compiler/diag", "compiler/ir"}, neither},
	{"dataplane/bootstrap", []string{"compiler/ir"}, noKube},
	{"dataplane", []string{"compiler/ir"}, neither},
	{"xds", []string{"catalog", "compiler/bundle", "compiler/verify", "compiler/ir", "compiler/diag"}, with(noKube, map[string]string{"sigs.k8s.io/kustomize": "policy is compiled before it is served"})},
	// git runs the installed git, and knows nothing of what the files say.
	{"gitops/git", nil, with(neither, map[string]string{"net": worlds, "net/http": worlds})},
	// live watches a cluster: it turns objects into bundles, and writes back what came of
	// them. Who serves the bundles it does not know.
	{"gitops/live", []string{"compiler", "policies", "catalog/kube", "catalog/state"}, noEnvoy},
	// gitops carries bundles; who serves them and to whom it does not know.
	{"gitops", []string{"compiler/bundle", "compiler/diag"}, neither},
	// lsp serves an editor: it reads folders, keeps meshes compiled, and knows nothing
	// of what is served or run.
	{"lsp", []string{"compiler", "policies"}, with(neither, map[string]string{"net": worlds, "net/http": worlds})},
	// api asks an API server for objects of any kind; install, what stands beside it and
	// doctor know which ones. Neither needs types of Kubernetes, but its client.
	{"deploy/api", nil, noEnvoy},
	{"deploy/install", []string{"deploy/api", "deploy/chart", "compiler/diag"}, noEnvoy},
	// admin reads what Envoy says of itself, as JSON.
	{"deploy/admin", nil, neither},
	{"deploy/breakglass", []string{"deploy/api", "compiler/diag"}, noEnvoy},
	{"deploy/control", []string{"deploy/api", "deploy/install"}, neither},
	{"deploy/support", []string{"deploy/api", "deploy/chart", "deploy/control", "deploy/install"}, neither},
	// doctor asks the mesh that is served what becomes of a call, and Envoys what they hold.
	{"deploy/doctor", []string{"deploy/admin", "deploy/api", "deploy/chart", "deploy/control", "deploy/install", "compiler/diag", "compiler/ir"}, noEnvoy},
	{"deploy/chart", []string{"compiler/diag"}, with(pure, neither)},
	// upkeep holds a cluster to what the control plane needs there: Secrets, ConfigMaps,
	// caBundles. It is Kubernetes' by its purpose; what it keeps others make.
	{"deploy/upkeep", []string{"catalog/ca", "admission/inject"}, noEnvoy},
	// deploy is manifests, and what prints them.
	{"deploy", nil, with(pure, neither)},
	// patch knows JSON, and nothing of what it says; nor does tree.
	{"admission/patch", nil, with(pure, neither)},
	{"admission/tree", nil, with(pure, neither)},
	// convert knows quantities of Kubernetes, and nothing of meshes.
	{"admission/convert", []string{"admission/tree"}, with(pure, noEnvoy)},
	// admission patches objects as JSON; how a cluster is watched it does not know.
	{"admission", []string{"compiler", "dataplane", "admission/tree"}, with(noEnvoy, noKube)},
	{"lab", []string{"compiler", "catalog", "xds", "dataplane"}, with(noKube, noEnvoy)},
	{"cmd", []string{""}, nil},
	{"test", []string{""}, nil},
	{"examples", []string{""}, nil},
}

func TestImportsPointDown(t *testing.T) {
	root := repository(t)
	seen := 0
	walk(t, root, func(file, pkg string, imports []string) {
		i := slices.IndexFunc(ladder, func(r room) bool { return within(pkg, r.path) })
		if i < 0 {
			t.Errorf("%s: package %s stands in no room of the ladder", file, pkg)
			return
		}
		seen++
		for _, imp := range imports {
			judge(t, file, pkg, ladder[i], imp)
		}
	})
	if seen == 0 {
		t.Fatal("no package was found: the walk is broken")
	}
}

func judge(t *testing.T, file, pkg string, r room, imp string) {
	t.Helper()
	if own, ok := strings.CutPrefix(imp, module); ok {
		if within(own, r.path) || slices.ContainsFunc(r.may, func(m string) bool { return m == "" || within(own, m) }) {
			return
		}
		t.Errorf("%s: %s imports %s, which is not below it in the ladder", file, pkg, own)
		return
	}
	for banned, why := range r.mayNot {
		if imp == banned || strings.Contains(banned, ".") && within(imp, banned) {
			t.Errorf("%s: %s imports %s: %s", file, pkg, imp, why)
		}
	}
}

// The ladder's bans must bite: a room that imports a banned package is caught.
func TestLadderCatchesAViolation(t *testing.T) {
	for _, bad := range []struct{ pkg, imp string }{
		{"compiler/ir", module + "compiler/syntax"},
		{"compiler/resolve", module + "compiler/envoy"},
		{"compiler/verify", module + "compiler/envoy"},
		{"catalog", module + "xds/link"},
		{"compiler/check", "context"},
		{"gitops/oci", module + "xds/follow"},
		{"lsp", module + "xds/link"},
		{"lab", "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"},
	} {
		probe := &testing.T{}
		i := slices.IndexFunc(ladder, func(r room) bool { return within(bad.pkg, r.path) })
		judge(probe, "probe.go", bad.pkg, ladder[i], bad.imp)
		if !probe.Failed() {
			t.Errorf("%s importing %s was not caught", bad.pkg, bad.imp)
		}
	}
}

func within(pkg, prefix string) bool {
	return pkg == prefix || strings.HasPrefix(pkg, strings.TrimSuffix(prefix, "/")+"/")
}

// walk gives the imports of every Go file that is not a test.
func walk(t *testing.T, root string, visit func(file, pkg string, imports []string)) {
	t.Helper()
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && (strings.HasPrefix(name, ".") && p != root || name == "testdata" || name == "bin") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), p, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		var imports []string
		for _, spec := range f.Imports {
			imp, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			imports = append(imports, imp)
		}
		rel = filepath.ToSlash(rel)
		visit(rel, path.Dir(rel), imports)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// repository is the folder that holds go.mod: a test runs in its own.
func repository(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// `go install` of a released version, which the CI kit uses, refuses a module whose
// go.mod replaces or excludes others.
func TestTheModuleCanBeInstalled(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "replace") || strings.HasPrefix(line, "exclude") {
			t.Errorf("go.mod says %s", strings.TrimSpace(line))
		}
	}
}
