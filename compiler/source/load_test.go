package source_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
)

const account = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: web, namespace: shop}\n"

// write lays files out below a fresh folder; a value "-> TARGET" is a link.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		full := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, ok := strings.CutPrefix(text, "-> "); ok {
			err = os.Symlink(target, full)
		} else {
			err = os.WriteFile(full, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func codes(found diag.List) string {
	var out []string
	for _, f := range found {
		out = append(out, string(f.Code)+" "+f.At().File)
	}
	return strings.Join(out, "\n")
}

func paths(tree *source.Tree) string {
	var out []string
	for _, f := range tree.Files {
		out = append(out, f.Path)
	}
	return strings.Join(out, " ")
}

// A link must not bring a file into the build that review never saw.
func TestLinksOutOfTheTreeAreRefused(t *testing.T) {
	dir := write(t, map[string]string{
		"outside.yaml":          account,
		"tree/a.yaml":           account,
		"tree/inside.yaml":      "-> sub/real.yaml",
		"tree/sub/real.yaml":    account,
		"tree/up.yaml":          "-> ../outside.yaml",
		"tree/root.yaml":        "-> /etc/hosts",
		"tree/nowhere.yaml":     "-> gone.yaml",
		"tree/folder":           "-> sub",
		"tree/looped.yaml":      "-> looped.yaml",
		"tree/..data/skip.yaml": account,
	})
	tree, found, err := source.Load(source.Options{Dir: dir, Paths: []string{"tree"}})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := paths(tree), "tree/a.yaml tree/inside.yaml tree/sub/real.yaml"; got != want {
		t.Errorf("read %q, want %q", got, want)
	}
	want := "MSH0017 tree/folder\nMSH0011 tree/looped.yaml\nMSH0011 tree/nowhere.yaml\nMSH0011 tree/root.yaml\nMSH0011 tree/up.yaml"
	if got := codes(found); got != want {
		t.Errorf("findings\n%s\nwant\n%s", got, want)
	}
}

// A kustomization must not read through a link, or by `..`, what lies around the
// tree; siblings of the overlay's own project are fine.
func TestKustomizationsStayInTheTree(t *testing.T) {
	dir := write(t, map[string]string{
		"secret.yaml":                            account,
		"project/base/kustomization.yaml":        "resources: [a.yaml]\n",
		"project/base/a.yaml":                    account,
		"project/overlays/ok/kustomization.yaml": "resources: [../../base]\n",
		"project/overlays/up/kustomization.yaml": "resources: [../../../outer]\n",
		"project/overlays/ln/kustomization.yaml": "resources: [link.yaml]\n",
		"project/overlays/ln/link.yaml":          "-> ../../../secret.yaml",
		"outer/kustomization.yaml":               "resources: [a.yaml]\n",
		"outer/a.yaml":                           account,
	})
	for name, want := range map[string]string{
		"ok": "",
		"up": "MSH0015 project/overlays/up/kustomization.yaml",
		"ln": "MSH0015 project/overlays/ln/kustomization.yaml",
	} {
		// From elsewhere, so that the folder two levels up is the tree.
		tree, found, err := source.Load(source.Options{Dir: t.TempDir(), Paths: []string{filepath.Join(dir, "project/overlays", name)}})
		got := strings.ReplaceAll(codes(found), filepath.ToSlash(dir)+"/", "")
		if got != want {
			t.Errorf("%s: findings %q, want %q", name, got, want)
		}
		var unreadable *source.UnreadableError
		if errors.As(err, &unreadable) != (want != "") {
			t.Errorf("%s: error %v", name, err)
		}
		if want == "" && (len(tree.Builds) != 1 || len(tree.Builds[0].Resources) != 1) {
			t.Errorf("%s: the base was not built", name)
		}
	}
}

// What was named and is not there is exit 3, not an empty mesh.
func TestMissingPathsAreErrors(t *testing.T) {
	dir := write(t, map[string]string{
		"meshc.yaml":   "apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata: {name: x}\nspec:\n  sources:\n  - ./gone\n  - {kustomize: ./plain}\n  - ../up\n",
		"plain/a.yaml": account,
	})
	_, _, err := source.Load(source.Options{Dir: dir, Paths: []string{"gone.yaml"}})
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "gone.yaml") {
		t.Errorf("a missing path gives %v", err)
	}
	// Beside other findings it is a finding too: who prints findings must not lose it.
	_, found, err := source.Load(source.Options{Dir: dir, Paths: []string{"gone.yaml", "."}})
	if len(found) == 0 || found[0].At().File != "gone.yaml" || !strings.Contains(err.Error(), "gone.yaml") {
		t.Errorf("a missing path beside other findings gives %v, %v", err, found)
	}
	_, found, err = source.Load(source.Options{Dir: dir, Paths: []string{"."}})
	var unreadable *source.UnreadableError
	if !errors.As(err, &unreadable) {
		t.Errorf("a missing source gives %v", err)
	}
	for i, want := range []string{"meshc.yaml:6:5", "meshc.yaml:7:17", "meshc.yaml:8:5"} {
		if len(found) <= i || found[i].At().String() != want || found[i].Code != "MSH0010" {
			t.Errorf("finding %d is not MSH0010 at %s: %v", i, want, found)
		}
	}
}

// Rendered charts come by pipe; their own file names are kept in positions, and
// the excerpt is found by that name.
func TestStdinKeepsItsName(t *testing.T) {
	in := "---\n# Source: shop/templates/sa.yaml\n" + account
	tree, found, err := source.Load(source.Options{Paths: []string{"-"}, Stdin: strings.NewReader(in)})
	if err != nil || len(found) > 0 {
		t.Fatal(err, found)
	}
	docs, _ := source.Split(tree.Files[0].Path, tree.Files[0].Data, 10)
	if got := docs[0].File; got != "stdin (shop/templates/sa.yaml)" {
		t.Errorf("the document is called %q", got)
	}
	if text, ok := tree.Text(docs[0].File); !ok || string(text) != in {
		t.Errorf("its text is not found by that name")
	}
}

// No input may exhaust the machine that builds.
func TestLimitsLeaveFilesOut(t *testing.T) {
	dir := write(t, map[string]string{"a.yaml": account, "b.yaml": strings.Repeat("# x\n", 100), "c.yaml": account})
	tree, found, err := source.Load(source.Options{Dir: dir, Limits: source.Limits{FileBytes: 200, TotalBytes: 100}})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := paths(tree), "a.yaml"; got != want {
		t.Errorf("read %q, want %q", got, want)
	}
	if got, want := codes(found), "MSH0018 b.yaml\nMSH0018 c.yaml"; got != want {
		t.Errorf("findings %q, want %q", got, want)
	}
	if _, found := source.Split("x", []byte("a: 1\n---\nb: 1\n---\nc: 1\n"), 2); len(found) != 1 || found[0].Code != "MSH0019" {
		t.Errorf("too many documents give %v", found)
	}
}

// A path named twice, or by two sources, is read once.
func TestNothingIsReadTwice(t *testing.T) {
	dir := write(t, map[string]string{
		"k/kustomization.yaml": "resources: [a.yaml]\nbuildMetadata: [managedByLabel]\n", "k/a.yaml": account, "b.yaml": account,
	})
	tree, _, err := source.Load(source.Options{Dir: dir, Paths: []string{"b.yaml", ".", "k", "k/kustomization.yaml"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(tree.Files) != 1 || len(tree.Builds) != 1 {
		t.Errorf("%d files and %d builds, want one of each", len(tree.Files), len(tree.Builds))
	}
	if y := string(tree.Builds[0].Resources[0].YAML); strings.Contains(y, "config.kubernetes.io") {
		t.Errorf("kustomize's annotations are left in the object:\n%s", y)
	}
}

// A folder that is a source of its own is not read with the folder around it, and
// nobody is told that it was left out.
func TestSourcesInsideSources(t *testing.T) {
	dir := write(t, map[string]string{
		"meshc.yaml":                       "apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nspec:\n  sources:\n  - .\n  - {path: apps, namespace: shop}\n  - {path: one.yaml, namespace: one}\n  - kustomize: overlays/prod\n",
		"a.yaml":                           account,
		"one.yaml":                         account,
		"apps/b.yaml":                      account,
		"overlays/prod/kustomization.yaml": "resources: [c.yaml]\n",
		"overlays/prod/c.yaml":             account,
	})
	tree, found, err := source.Load(source.Options{Dir: dir})
	if err != nil || len(found) > 0 {
		t.Fatal(found, err)
	}
	got := ""
	for _, f := range tree.Files {
		got += f.Path + "=" + f.Namespace + " "
	}
	if want := "a.yaml= apps/b.yaml=shop one.yaml=one "; got != want || len(tree.Builds) != 1 {
		t.Errorf("read %q and %d builds, want %q and 1", got, len(tree.Builds), want)
	}
}

// What cannot be opened in a folder is exit 3 and says where, and the rest is read.
func TestUnreadableFilesInAFolder(t *testing.T) {
	dir := write(t, map[string]string{"a.yaml": account, "z.yaml": account})
	if err := os.Remove(filepath.Join(dir, "a.yaml")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "a.yaml"), 0o600); err != nil {
		t.Fatal(err)
	}
	tree, found, err := source.Load(source.Options{Dir: dir})
	var unreadable *source.UnreadableError
	if !errors.As(err, &unreadable) || codes(found) != "MSH0010 a.yaml" || paths(tree) != "z.yaml" {
		t.Errorf("a pipe in a folder gives %v, %v; read %q", err, codes(found), paths(tree))
	}
}

// `meshc build <(helm template .)` hands over a pipe.
func TestPipesAreRead(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	go func() {
		_, _ = w.WriteString(account)
		_ = w.Close()
	}()
	tree, _, err := source.Load(source.Options{Paths: []string{fmt.Sprintf("/dev/fd/%d", r.Fd())}})
	if err != nil || len(tree.Files) != 1 || string(tree.Files[0].Data) != account {
		t.Errorf("a pipe gives %v, %v", tree, err)
	}
}
