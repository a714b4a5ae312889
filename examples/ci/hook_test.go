package ci

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func hooked(t *testing.T) *site {
	t.Helper()
	s := newSite(t)
	s.copyIn("pre-commit/mesh-pre-commit", ".git/hooks/pre-commit")
	return s
}

func TestHookRefusesABadCommit(t *testing.T) {
	s := hooked(t)
	before := s.git("rev-parse", "HEAD")
	s.spoil()
	if out, code := s.run(nil, "git", "commit", "-am", "bad"); code == 0 || !strings.Contains(out, "MSH3001") || !strings.Contains(out, "--> "+accessFile) {
		t.Errorf("exit %d\n%s", code, out)
	}
	if after := s.git("rev-parse", "HEAD"); after != before {
		t.Error("the bad commit is there")
	}
}

func TestHookRunsTables(t *testing.T) {
	s := hooked(t)
	s.widen()
	if out, code := s.run(nil, "git", "commit", "-am", "lets the thief in"); code == 0 {
		t.Errorf("a table fails and the commit passes\n%s", out)
	}
}

func TestHookTellsWhatAGoodCommitMeans(t *testing.T) {
	s := hooked(t)
	s.edit(accessFile, "  - name: update-books-bought", "  - name: returned\n    pathRegex: /returned$\n    methods: [GET]\n  - name: update-books-bought")
	s.edit(accessFile, "[buy-a-book, books-bought]", "[buy-a-book, books-bought, returned]")
	out, code := s.run(nil, "git", "commit", "-am", "good")
	if code != 0 || !strings.Contains(out, "bookbuyer/bookbuyer") || !strings.Contains(out, "/returned") {
		t.Errorf("exit %d\n%s", code, out)
	}
	s.edit(accessFile, "[buy-a-book, books-bought]", "[buy-a-book, books-bought, returned]")
	if out, code := s.run([]string{"MESH_FAIL_ON_CHANGE=widen"}, "git", "commit", "-am", "more"); code == 0 {
		t.Errorf("a widening passes although it is forbidden\n%s", out)
	}
}

// The hook judges what is staged: neither a fault in the work tree nor its mending
// counts, and a commit of something else costs nothing.
func TestHookJudgesWhatIsStaged(t *testing.T) {
	s := hooked(t)
	s.spoil()
	s.git("add", "-A")
	s.edit(accessFile, "bookstor-v1", "bookstore-v1")
	if out, code := s.run(nil, "git", "commit", "-m", "staged fault"); code == 0 {
		t.Errorf("what is staged is broken, and passes because the work tree is not\n%s", out)
	}
	s.git("reset", "-q", "--hard")
	s.spoil()
	if err := os.WriteFile(filepath.Join(s.dir, "NOTES.md"), []byte("notes\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s.git("add", "NOTES.md")
	if out, code := s.run(nil, "git", "commit", "-m", "notes"); code != 0 {
		t.Errorf("a fault that is not staged stops a commit\n%s", out)
	}
}

// The configuration for the pre-commit framework names the script where the README
// puts it.
func TestHookOfTheFramework(t *testing.T) {
	var config struct {
		Repos []struct {
			Repo  string
			Hooks []struct {
				ID, Name, Entry, Language, Files string
				PassFilenames                    *bool `yaml:"pass_filenames"`
			}
		}
	}
	decode(t, "pre-commit/.pre-commit-config.yaml", &config)
	if len(config.Repos) != 1 || config.Repos[0].Repo != "local" || len(config.Repos[0].Hooks) != 1 {
		t.Fatalf("%+v", config)
	}
	hook := config.Repos[0].Hooks[0]
	if hook.Entry != "ci/mesh-pre-commit" || hook.Language != "script" || hook.ID == "" || hook.Name == "" || hook.PassFilenames == nil || *hook.PassFilenames {
		t.Errorf("%+v", hook)
	}
	s := newSite(t)
	s.copyIn("pre-commit/mesh-pre-commit", hook.Entry)
	s.spoil()
	s.git("add", "manifests")
	if out, code := s.run(nil, "./"+hook.Entry); code == 0 || !strings.Contains(out, "MSH3001") {
		t.Errorf("exit %d\n%s", code, out)
	}
}
