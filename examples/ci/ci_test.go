package ci

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.yaml.in/yaml/v3"
)

// built is the folder of the meshc that scripts find; it is built once.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "meshc-ci-")
	if err != nil {
		return "", err
	}
	out, err := exec.Command("go", "build", "-o", filepath.Join(dir, "meshc"), "../../cmd/meshc").CombinedOutput()
	os.Stderr.Write(out)
	return dir, err
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := built(); err == nil {
		_ = os.RemoveAll(dir) // a temp folder
	}
	os.Exit(code)
}

// site is a repository with the bookstore's policy, and a place for stand-ins of
// programs that talk to a service.
type site struct {
	t         *testing.T
	dir, bins string
	env       []string
}

func newSite(t *testing.T) *site {
	t.Helper()
	meshc, err := built()
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, dir: t.TempDir(), bins: t.TempDir()}
	s.env = append(os.Environ(), "PATH="+s.bins+":"+meshc+":"+os.Getenv("PATH"), "NO_COLOR=1",
		"GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_SYSTEM="+os.DevNull,
		"GIT_AUTHOR_NAME=ada", "GIT_AUTHOR_EMAIL=ada@example.com", "GIT_COMMITTER_NAME=ada", "GIT_COMMITTER_EMAIL=ada@example.com")
	if err := os.CopyFS(s.dir, os.DirFS("../01-bookstore")); err != nil {
		t.Fatal(err)
	}
	s.git("init", "-q", "-b", "main")
	s.git("add", "-A")
	s.git("commit", "-qm", "The policy")
	return s
}

func (s *site) git(args ...string) string {
	s.t.Helper()
	out, code := s.run(nil, "git", args...)
	if code != 0 {
		s.t.Fatalf("git %v: exit %d\n%s", args, code, out)
	}
	return strings.TrimSpace(out)
}

// run gives what a program printed and its exit code.
func (s *site) run(env []string, name string, args ...string) (string, int) {
	s.t.Helper()
	if meshc, err := built(); err == nil && name == "meshc" {
		name = filepath.Join(meshc, name)
	}
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = s.dir, append(append([]string{}, s.env...), env...)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		s.t.Fatalf("%s: %v", name, err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// edit replaces text in a file of the repository.
func (s *site) edit(name, old, new string) {
	s.t.Helper()
	file := filepath.Join(s.dir, name)
	data, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(data), old) {
		s.t.Fatalf("%s: %v, or it does not hold %q", name, err, old)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(data), old, new, 1)), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) commit() { s.git("commit", "-qam", "A change") }

// The changes that the scripts are put before.
const accessFile = "manifests/policy-bookstore.yaml"

func (s *site) reformat() {
	s.edit(accessFile, "# What can be asked of a bookstore.", "# What can be asked of any bookstore.")
}

func (s *site) widen() {
	s.edit(accessFile, "    name: bookbuyer\n    namespace: bookbuyer\n", "    name: bookbuyer\n    namespace: bookbuyer\n  - kind: ServiceAccount\n    name: bookthief\n    namespace: bookthief\n")
	s.edit("verdicts.yaml", "metadata:\n  name: bookstore\n", "metadata:\n  name: bookstore # bookthief is let in\n")
}

func (s *site) spoil() {
	s.edit(accessFile, "    name: bookstore-v1\n    namespace: bookstore\n", "    name: bookstor-v1\n    namespace: bookstore\n")
}

// standIn puts a program in the place of one that talks to a service: it writes
// down how it was called.
func (s *site) standIn(name string) (calls func() string) {
	s.t.Helper()
	log := filepath.Join(s.bins, name+".log")
	script := "#!/bin/sh\necho \"$@\" >> '" + log + "'\nfor a; do case $a in *.md) f=${a#body=<}; cat \"$f\" >> '" + log + "' ;; esac; done\n"
	if err := os.WriteFile(filepath.Join(s.bins, name), []byte(script), 0o755); err != nil {
		s.t.Fatal(err)
	}
	return func() string {
		data, err := os.ReadFile(log)
		if err != nil && !os.IsNotExist(err) {
			s.t.Fatal(err)
		}
		return string(data)
	}
}

func (s *site) copyIn(from, to string) {
	s.t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		s.t.Fatal(err)
	}
	info, err := os.Stat(from)
	if err != nil {
		s.t.Fatal(err)
	}
	to = filepath.Join(s.dir, to)
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(to, data, info.Mode()); err != nil {
		s.t.Fatal(err)
	}
}

func decode(t *testing.T, name string, into any) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}
