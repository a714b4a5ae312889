package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/gitops/oci"
)

// inGit runs git in a folder, apart from the user's own settings.
func inGit(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.org", "GIT_CONFIG_GLOBAL="+os.DevNull)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// bookstoreRepository is a repository with the bookstore in one commit; the
// working directory is in it.
func bookstoreRepository(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../../examples/01-bookstore")); err != nil {
		t.Fatal(err)
	}
	inGit(t, dir, "init", "-q", "-b", "main")
	commit(t, dir)
	t.Chdir(dir)
	return dir
}

func commit(t *testing.T, dir string) {
	t.Helper()
	inGit(t, dir, "add", "-A")
	inGit(t, dir, "commit", "-q", "-m", "a change")
}

// edit replaces a text in a file, which has to be there.
func edit(t *testing.T, file, old, new string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), old) {
		t.Fatalf("%s does not say %q", file, old)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(data), old, new, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
}

const (
	buyerSource = "  sources:\n  - kind: ServiceAccount\n    name: bookbuyer\n    namespace: bookbuyer\n"
	thiefSource = buyerSource + "  - kind: ServiceAccount\n    name: bookthief\n    namespace: bookthief\n"
)

func has(t *testing.T, out string, wanted ...string) {
	t.Helper()
	for _, w := range wanted {
		if !strings.Contains(out, w) {
			t.Errorf("%q is not in:\n%s", w, out)
		}
	}
}

func TestDiffOfTwoCommitsShowsWhoGainsWhat(t *testing.T) {
	dir := bookstoreRepository(t)
	edit(t, "manifests/policy-bookstore.yaml", buyerSource, thiefSource)
	commit(t, dir)
	// What lies in the work tree has no say.
	edit(t, "manifests/policy-bookstore.yaml", thiefSource, buyerSource)
	out, _ := wants(t, exitFindings, "diff", "HEAD~1", "HEAD", "--fail-on-change", "widen")
	has(t, out, "bookthief/bookthief\n", "+ can now GET /books-bought.* with client-app: bookbuyer", "on bookstore/bookstore:14001",
		"such as GET /books-bought", "TrafficTarget/bookstore/bookbuyer-access-bookstore-v1#rule0 at manifests/policy-bookstore.yaml:34",
		"HTTPRouteGroup/bookstore/bookstore-service-routes#books-bought at manifests/policy-bookstore.yaml:9", "no listener drains")
	wants(t, exitClean, "diff", "HEAD~1", "HEAD", "--fail-on-change", "narrow")
	wants(t, exitClean, "diff", "HEAD~1", "HEAD")
	out, _ = wants(t, exitFindings, "diff", "HEAD", "HEAD~1", "--fail-on-change", "narrow")
	has(t, out, "- can no longer GET /books-bought.*")
	wants(t, exitClean, "diff", "HEAD", "HEAD~1", "--fail-on-change", "widen")
	// The work tree is HEAD~1 again.
	wants(t, exitClean, "diff", "HEAD~1", "--exit-code")
	wants(t, exitFindings, "diff", "HEAD", "--exit-code")
}

func TestDiffOfAReformattingCommitIsNoChange(t *testing.T) {
	dir := bookstoreRepository(t)
	edit(t, "manifests/policy-bookstore.yaml", "methods: [GET]", "methods:\n    - \"GET\"")
	edit(t, "manifests/policy-bookstore.yaml", "pathRegex: /update-books-bought", "pathRegex: /(?:update-books-bought)")
	edit(t, "manifests/bookthief.yaml", "apiVersion", "# a comment\napiVersion")
	inGit(t, dir, "mv", "manifests/bookbuyer.yaml", "manifests/buyer.yaml")
	commit(t, dir)
	out, _ := wants(t, exitClean, "diff", "HEAD~1", "HEAD", "--fail-on-change", "any")
	has(t, out, "no change in meaning", ": 2 files reformatted")
	out, _ = wants(t, exitClean, "diff", "HEAD~1", "HEAD", "-o", "markdown")
	has(t, out, "### meshc diff: no change in meaning")
}

func TestDiffCountsWhatJudgesLessAsWidening(t *testing.T) {
	for name, change := range map[string]struct{ before, after, says string }{
		"severity lowered":  {"  rules: {severity: {MSH1505: error}}\n", "  rules: {severity: {MSH1505: warning}}\n", "the severity of MSH1505 is warning, was error"},
		"severity of ours":  {"", "  rules: {severity: {MSH1017: \"off\"}}\n", "the severity of MSH1017 is off, was info"},
		"rule turned off":   {"", "  rules: {severity: {MSH1505: \"off\"}}\n", "the severity of MSH1505 is off"},
		"raised no more":    {"  rules: {severity: {MSH1503: error}}\n", "", "the severity of MSH1503 is warning, was error"},
		"waiver added":      {"", "  waivers: [{code: MSH1017, target: {kind: HTTPRouteGroup, name: x}, reason: r, owner: o, expires: 2020-01-01}]\n", "a waiver is added: {code: MSH1017"},
		"parameter changed": {"  rules: {params: {MSH1504: {pairs: [{from: a, to: b}]}}}\n", "  rules: {params: {MSH1504: {pairs: []}}}\n", "rule parameter MSH1504.pairs is [], was [{from: a, to: b}]"},
		"rules not read":    {"  rules: {dirs: [./rules]}\n", "", "rule file rules/thief.rego is gone"},
		"mode opened":       {"  namespaces: {bookstore: {mode: strict}}\n", "  namespaces: {bookstore: {mode: audit}}\n", "the mode of namespace bookstore changes from strict to audit"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := bookstoreRepository(t)
			writeFiles(t, dir, map[string]string{"rules/thief.rego": "package thief\n", "rules/thief_test.rego": "package thief\n"})
			edit(t, "meshc.yaml", "  - ./manifests\n", "  - ./manifests\n"+change.before)
			commit(t, dir)
			edit(t, "meshc.yaml", "  - ./manifests\n"+change.before, "  - ./manifests\n"+change.after)
			commit(t, dir)
			out, _ := wants(t, exitFindings, "diff", "HEAD~1", "HEAD", "--fail-on-change", "widen")
			has(t, out, change.says)
			if !strings.Contains(out, " at meshc.yaml:") && !strings.Contains(out, " at rules/thief.rego:1") {
				t.Errorf("it does not say where:\n%s", out)
			}
			if change.before != "" && !strings.HasPrefix(change.says, "rule parameter") {
				wants(t, exitClean, "diff", "HEAD", "HEAD~1", "--fail-on-change", "widen")
			}
		})
	}
}

func TestDiffTakesRulesFromElsewhere(t *testing.T) {
	dir := bookstoreRepository(t)
	writeFiles(t, dir, map[string]string{"rules/thief.rego": "package thief\n"})
	edit(t, "meshc.yaml", "  - ./manifests\n", "  - ./manifests\n  rules: {dirs: [./rules]}\n")
	commit(t, dir)
	inGit(t, dir, "tag", "reviewed")
	writeFiles(t, dir, map[string]string{"rules/thief.rego": "package thief\n# weaker\n"})
	edit(t, "manifests/policy-bookstore.yaml", "bookstore-v1\n", "bookstore-v1 # a comment\n")
	edit(t, "manifests/policy-bookstore.yaml", "name: books-bought\n", "name: books-bought # meshc:waive MSH1017 until=2999-01-01\n")
	commit(t, dir)
	commitEmpty(t, dir)
	wants(t, exitClean, "diff", "HEAD~1", "HEAD", "--exit-code")
	out, _ := wants(t, exitFindings, "diff", "HEAD~1", "HEAD", "--rules-from", "reviewed", "--fail-on-change", "widen")
	has(t, out, "? rule file rules/thief.rego says something else", "+ a waiver is added: MSH1017 until=2999-01-01 at \"- name: books-bought\" of HTTPRouteGroup/bookstore/bookstore-service-routes in policy-bookstore.yaml", "manifests/policy-bookstore.yaml:9")
}

func commitEmpty(t *testing.T, dir string) {
	t.Helper()
	inGit(t, dir, "commit", "-q", "--allow-empty", "-m", "nothing")
}

func TestDiffFromAFolderOfTheRepository(t *testing.T) {
	dir := bookstoreRepository(t)
	edit(t, "manifests/policy-bookstore.yaml", buyerSource, thiefSource)
	t.Chdir(filepath.Join(dir, "manifests"))
	out, _ := wants(t, exitFindings, "diff", "main", "--path", "..", "--exit-code")
	has(t, out, "+ can now GET")
	wants(t, exitUsage, "diff", "main", "--path", t.TempDir())
}

func TestDiffSinceTheMergeBase(t *testing.T) {
	dir := bookstoreRepository(t)
	inGit(t, dir, "checkout", "-q", "-b", "work")
	commitEmpty(t, dir)
	inGit(t, dir, "checkout", "-q", "main")
	edit(t, "manifests/policy-bookstore.yaml", buyerSource, thiefSource)
	commit(t, dir)
	inGit(t, dir, "checkout", "-q", "work")
	wants(t, exitFindings, "diff", "main", "work", "--exit-code")
	wants(t, exitClean, "diff", "main", "work", "--merge-base", "--exit-code")
	wants(t, exitClean, "diff", "main", "--merge-base", "--exit-code")
}

func TestDiffOfAMeshThatIsNew(t *testing.T) {
	dir := t.TempDir()
	inGit(t, dir, "init", "-q", "-b", "main")
	commitEmpty(t, dir)
	if err := os.CopyFS(filepath.Join(dir, "mesh"), os.DirFS("../../examples/01-bookstore")); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	out, _ := wants(t, exitFindings, "diff", "HEAD", "--path", "mesh", "--fail-on-change", "widen")
	has(t, out, "bookbuyer/bookbuyer\n", "it is not in HEAD", "everything is new")
}

// A waiver that is moved waives something else, though no line is new.
func TestDiffSeesAWaiverMove(t *testing.T) {
	dir := bookstoreRepository(t)
	const waiver = " # meshc:waive MSH1017 until=2999-01-01 reason=x"
	edit(t, "manifests/policy-bookstore.yaml", "name: books-bought\n", "name: books-bought"+waiver+"\n")
	commit(t, dir)
	edit(t, "manifests/policy-bookstore.yaml", waiver, "")
	edit(t, "manifests/policy-bookstore.yaml", "  - name: update-books-bought\n", "  #"+waiver[2:]+"\n  - name: update-books-bought\n")
	out, _ := wants(t, exitFindings, "diff", "HEAD", "--fail-on-change", "widen")
	has(t, out, "+ a waiver is added: MSH1017", `at "- name: update-books-bought" of HTTPRouteGroup`, "- a waiver is gone: MSH1017")

	const group = "apiVersion: specs.smi-spec.io/v1alpha4\nkind: HTTPRouteGroup\nmetadata: {name: NAME, namespace: bookstore}\nspec:\n  matches:\n  - {name: read, pathRegex: /read, methods: [GET]}NOTE\n"
	first, second := strings.Replace(group, "NAME", "first", 1), strings.Replace(group, "NAME", "second", 1)
	write := func(one, two string) {
		text := strings.Replace(first, "NOTE", one, 1) + "---\n" + strings.Replace(second, "NOTE", two, 1)
		writeFiles(t, dir, map[string]string{"manifests/groups.yaml": text})
	}
	write(waiver, "")
	commit(t, dir)
	write("", waiver)
	out, _ = wants(t, exitFindings, "diff", "HEAD", "--fail-on-change", "widen")
	has(t, out, "of HTTPRouteGroup/bookstore/second in groups.yaml", "of HTTPRouteGroup/bookstore/first in groups.yaml", "1 widen, 1 narrow, 0 do neither")
}

// A change that does both counts as both.
func TestDiffCountsWhatDoesBoth(t *testing.T) {
	dir := bookstoreRepository(t)
	edit(t, "manifests/policy-bookstore.yaml", "pathRegex: /books-bought", "pathRegex: /books-sold")
	out, _ := wants(t, exitClean, "diff", "main")
	has(t, out, "2 changes", "2 widen, 2 narrow, 0 do neither, 2 of them both", "can no longer GET all of /books-bought.*")
	out, _ = wants(t, exitClean, "diff", "main", "-o", "markdown")
	has(t, out, "access is **widened** and narrowed")
	inGit(t, dir, "checkout", "-q", ".")
	// What a rule of the library has of its own is no change.
	edit(t, "meshc.yaml", "  - ./manifests\n", "  - ./manifests\n  rules: {severity: {MSH1503: warning}}\n")
	wants(t, exitClean, "diff", "main", "--exit-code")
}

func TestDiffOfNothing(t *testing.T) {
	dir := bookstoreRepository(t)
	writeFiles(t, dir, map[string]string{"other/readme.md": "nothing for a mesh\n"})
	commit(t, dir)
	_, errs := wants(t, exitEngine, "diff", "HEAD", "HEAD", "--path", "other")
	has(t, errs, "nothing was compared")
	inGit(t, dir, "rm", "-q", "-r", "manifests", "meshc.yaml")
	commit(t, dir)
	out, _ := wants(t, exitFindings, "diff", "HEAD~1", "HEAD", "--path", "manifests", "--fail-on-change", "narrow")
	has(t, out, "- can no longer", "everything is gone")
}

func TestDiffOfWhatDoesNotCompile(t *testing.T) {
	dir := bookstoreRepository(t)
	edit(t, "manifests/policy-bookstore.yaml", "matches: [buy-a-book", "matches: [sell-a-book")
	commit(t, dir)
	_, errs := wants(t, exitFindings, "diff", "HEAD~1", "HEAD")
	has(t, errs, "sell-a-book", "manifests/policy-bookstore.yaml:36")
	_, errs = wants(t, exitEngine, "diff", "HEAD", "HEAD~1")
	has(t, errs, "HEAD does not compile: what it allowed is not known")
}

func TestDiffOfBundlesAndFolders(t *testing.T) {
	bookstoreRepository(t)
	out := t.TempDir()
	wants(t, exitClean, "build", ".", "-o", filepath.Join(out, "old"))
	edit(t, "manifests/policy-bookstore.yaml", buyerSource, thiefSource)
	wants(t, exitClean, "build", ".", "-o", filepath.Join(out, "new"))
	for _, args := range [][]string{
		{filepath.Join(out, "old"), filepath.Join(out, "new")}, {filepath.Join(out, "old"), "./manifests"}, {"path:" + filepath.Join(out, "old")}, {"HEAD", filepath.Join(out, "new")},
	} {
		got, _ := wants(t, exitFindings, append([]string{"diff", "--fail-on-change", "widen"}, args...)...)
		has(t, got, "bookthief/bookthief\n  + can now GET")
	}
	got, _ := wants(t, exitClean, "diff", filepath.Join(out, "old"), "HEAD", "--exit-code")
	has(t, got, "no change in meaning")
}

func TestDiffExitCodes(t *testing.T) {
	dir := bookstoreRepository(t)
	writeFiles(t, dir, map[string]string{"topic/a.yaml": ""})
	inGit(t, dir, "branch", "topic")
	for code, all := range map[int][][]string{
		exitUsage: {{"diff"}, {"diff", "HEAD", "-o", "xml"}, {"diff", "HEAD", "--fail-on-change", "more"}, {"diff", "topic"}, {"diff", "HEAD", "--all-envs"},
			{"diff", "HEAD", "--all-envs", "--env", "x"}},
		exitInput: {{"diff", "nothing"}, {"diff", "./nothing"}, {"diff", "path:HEAD"}, {"diff", "HEAD", "git:nothing"}, {"diff", "http://127.0.0.1:1"}},
		exitClean: {{"diff", "git:topic"}, {"diff", "HEAD", "HEAD"}},
	} {
		for _, args := range all {
			wants(t, code, args...)
		}
	}
	t.Chdir(t.TempDir())
	wants(t, exitInput, "diff", "HEAD")
}

func TestDiffOfAllEnvironmentsGroupsEqualChanges(t *testing.T) {
	dir := bookstoreRepository(t)
	edit(t, "meshc.yaml", "  - ./manifests\n", "  - ./manifests\n  environments:\n    staging: {egress: allow}\n    prod: {}\n")
	commit(t, dir)
	edit(t, "manifests/policy-bookstore.yaml", buyerSource, thiefSource)
	edit(t, "meshc.yaml", "staging: {egress: allow}", "staging: {}")
	out, _ := wants(t, exitFindings, "diff", "HEAD", "--all-envs", "--exit-code")
	has(t, out, "(in every environment)", "can no longer call addresses outside the mesh (in staging)")
	if n := strings.Count(out, "bookthief/bookthief\n"); n != 1 {
		t.Errorf("the thief is named %d times, though both environments change alike:\n%s", n, out)
	}
	out, _ = wants(t, exitClean, "diff", "HEAD", "--env", "prod")
	if strings.Contains(out, "egress") {
		t.Errorf("staging's change is not prod's:\n%s", out)
	}
}

func TestDiffAsJSON(t *testing.T) {
	bookstoreRepository(t)
	edit(t, "manifests/policy-bookstore.yaml", buyerSource, thiefSource)
	out, _ := wants(t, exitClean, "diff", "HEAD", "-o", "json")
	var got difference
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	if !got.Widens || got.Narrows || len(got.Changes) != 1 || got.Changes[0].Source != "bookthief/bookthief" || len(got.Changes[0].Gained) != 2 || got.Base.Commit == "" || len(got.Proxies) != 1 {
		t.Errorf("%+v", got)
	}
}

// A comment has a limit, and a change must not speak with the page's own markup.
func TestDiffAsMarkdownFitsAComment(t *testing.T) {
	dir := bookstoreRepository(t)
	var many strings.Builder
	many.WriteString("  waivers:\n")
	for i := range 3000 {
		fmt.Fprintf(&many, "  - {code: MSH1017, target: {kind: HTTPRouteGroup, name: x%d}, reason: \"<b>`@team` </details>\", owner: o, expires: 2020-01-01}\n", i)
	}
	edit(t, "meshc.yaml", "  - ./manifests\n", "  - ./manifests\n"+many.String())
	edit(t, "meshc.yaml", "mode: strict", "mode: permissive")
	commit(t, dir)
	out, _ := wants(t, exitClean, "diff", "HEAD~1", "HEAD", "-o", "markdown")
	if n := len([]rune(out)); n > commentLimit {
		t.Errorf("%d characters", n)
	}
	has(t, out, "access is **widened**", "the mode of the mesh changes from strict to permissive", "lines are left out: a comment may have 65536 characters", "&lt;b&gt;\\`&#64;team\\`")
	if strings.Contains(out, "@") || strings.Count(out, "<details>") != strings.Count(out, "</details>") {
		t.Error("a waiver's words broke out of their line")
	}
}

// Before a bundle is rolled out, people ask what it changes against what is served.
func TestDiffAgainstARunningServer(t *testing.T) {
	bookstoreRepository(t)
	out := t.TempDir()
	writeFiles(t, out, map[string]string{"catalog.yaml": serveCatalog})
	wants(t, exitClean, "build", ".", "-o", filepath.Join(out, "served"))
	admin, end := serving(t, "--bundle", filepath.Join(out, "served"), "--catalog", filepath.Join(out, "catalog.yaml"), "--state", filepath.Join(out, "state"))
	edit(t, "manifests/policy-bookstore.yaml", buyerSource, thiefSource)
	got, _ := wants(t, exitFindings, "diff", "http://"+admin, "--fail-on-change", "widen")
	has(t, got, "bookthief/bookthief\n  + can now GET")
	got, _ = wants(t, exitClean, "diff", "http://"+admin, "HEAD", "--exit-code")
	has(t, got, "no change in meaning between http://"+admin)
	if code := end(); code != exitClean {
		t.Errorf("serve ended with %d", code)
	}
}

func TestDiffAgainstABundleInARegistry(t *testing.T) {
	bookstoreRepository(t)
	t.Setenv("DOCKER_CONFIG", t.TempDir()) // the tester's own credentials are none of our business
	shelf := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer shelf.Close()
	dir := filepath.Join(t.TempDir(), "bundle")
	wants(t, exitClean, "build", ".", "-o", dir)
	b, _, err := bundle.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	name := "oci://" + strings.TrimPrefix(shelf.URL, "http://") + "/team/mesh:v1"
	to, err := oci.Parse(name, true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := oci.Push(t.Context(), b, to, ""); err != nil {
		t.Fatal(err)
	}
	edit(t, "manifests/policy-bookstore.yaml", buyerSource, thiefSource)
	got, _ := wants(t, exitFindings, "diff", name, "--plain-http", "--fail-on-change", "widen")
	has(t, got, "bookthief/bookthief\n  + can now GET")
	wants(t, exitInput, "diff", name+"0", "--plain-http")
	wants(t, exitUsage, "diff", "oci://:")
}
