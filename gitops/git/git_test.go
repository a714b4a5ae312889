package git_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/meshc/meshc/gitops/git"
)

func do(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.org", "GIT_CONFIG_GLOBAL="+os.DevNull)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func repository(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	do(t, dir, "init", "-q", "-b", "main")
	for name, text := range map[string]string{"a.yaml": "one", "deep/er/b.yaml": "two\n", "ümlaut \"q\".yaml": "three", "empty": ""} {
		full := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{"link": "deep/er", "loop": "loop", "out": "../../etc/passwd", "deep/up": "../a.yaml"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	do(t, dir, "add", "-A")
	do(t, dir, "commit", "-q", "-m", "one")
	return dir
}

func open(t *testing.T, dir, revision string) *git.Tree {
	t.Helper()
	r, err := git.Open(filepath.Join(dir, "deep"))
	if err != nil {
		t.Fatal(err)
	}
	commit, err := r.Commit(revision)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := r.Tree(commit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tree.Close(); err != nil {
			t.Error(err)
		}
	})
	return tree
}

func TestReadsACommitAndNotTheWorkTree(t *testing.T) {
	dir := repository(t)
	if err := os.WriteFile(filepath.Join(dir, "a.yaml"), []byte("not committed"), 0o644); err != nil {
		t.Fatal(err)
	}
	tree := open(t, dir, "HEAD")
	if data, err := fs.ReadFile(tree, "a.yaml"); string(data) != "one" || err != nil {
		t.Errorf("%q %v", data, err)
	}
	if data, err := fs.ReadFile(tree, "link/b.yaml"); string(data) != "two\n" || err != nil {
		t.Errorf("through a link to a folder: %q %v", data, err)
	}
	if data, err := fs.ReadFile(tree, "deep/up"); string(data) != "one" || err != nil {
		t.Errorf("through a link to a file: %q %v", data, err)
	}
}

func TestIsAFileSystem(t *testing.T) {
	dir := t.TempDir()
	do(t, dir, "init", "-q", "-b", "main")
	for _, name := range []string{"a", "b/c", "b/d/e", "f\tg"} {
		full := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "deep"), 0o755); err != nil {
		t.Fatal(err)
	}
	do(t, dir, "add", "-A")
	do(t, dir, "commit", "-q", "-m", "one")
	if err := fstest.TestFS(open(t, dir, "main"), "a", "b/c", "b/d/e", "f\tg"); err != nil {
		t.Error(err)
	}
}

func TestLinksDoNotLeaveTheTree(t *testing.T) {
	tree := open(t, repository(t), "HEAD")
	for _, name := range []string{"loop", "out", "a.yaml/x", "../x", "nothing"} {
		if data, err := fs.ReadFile(tree, name); err == nil {
			t.Errorf("%s: read %q", name, data)
		}
	}
}

func TestWhatIsNoRevisionIsRefused(t *testing.T) {
	r, err := git.Open(repository(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, revision := range []string{"", "nothing", "--all", "-h", "HEAD:a.yaml", "HEAD..HEAD"} {
		if got, err := r.Commit(revision); err == nil {
			t.Errorf("%q: %s", revision, got)
		}
	}
	if _, err := git.Open(t.TempDir()); !errors.Is(err, git.ErrNoRepository) {
		t.Errorf("a folder in no repository: %v", err)
	}
}
