package examples

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const twoRepositories = "08-policy-repo-and-app-repo"

// The README of the two repositories is followed line by line, in a copy: every
// command runs in order and ends as the README says, every block of output is what
// the command before it printed.
func TestStoryOfTwoRepositories(t *testing.T) {
	bin := meshc(t)
	readme, err := os.ReadFile(filepath.Join(twoRepositories, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(twoRepositories)); err != nil {
		t.Fatal(err)
	}
	follow(t, dir, filepath.Dir(bin), string(readme))
	committed(t, dir)
}

// follow runs the indented lines of a document, and looks for the lines of its
// blocks of output in what the last failing command printed, or the last one.
func follow(t *testing.T, dir, path, document string) {
	t.Helper()
	printed, ran, fence := "", 0, ""
	for line := range strings.Lines(document) {
		line = strings.TrimRight(line, "\n")
		switch kind, fenced := strings.CutPrefix(line, "```"); {
		case fenced && fence == "":
			fence = "```" + kind
		case fenced:
			fence = ""
		case fence == "```":
			if !strings.Contains(printed, line) {
				t.Errorf("the README shows %q, and what was printed is\n%s", line, printed)
			}
		case fence == "" && strings.HasPrefix(line, "    "):
			ran++
			printed = runLine(t, dir, path, strings.TrimSpace(line))
		}
	}
	if ran < 10 {
		t.Errorf("only %d commands were found: the pattern is broken", ran)
	}
}

// runLine runs a command as a shell would; a comment at its end says how it exits.
func runLine(t *testing.T, dir, path, line string) string {
	t.Helper()
	want := 0
	if _, said, ok := strings.Cut(line, "# exit "); ok {
		n, err := strconv.Atoi(said)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		want = n
	}
	cmd := exec.Command("sh", "-c", line)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+path+string(os.PathListSeparator)+os.Getenv("PATH"), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_SYSTEM="+os.DevNull, "NO_COLOR=1")
	out, err := cmd.CombinedOutput()
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	if got != want {
		t.Fatalf("%q: exit %d, and the README says %d\n%s", line, got, want, out)
	}
	return string(out)
}

// committed: the lock that lies in the example is the one that is written, but for
// who wrote it and when.
func committed(t *testing.T, dir string) {
	t.Helper()
	read := func(dir string) string {
		data, err := os.ReadFile(filepath.Join(dir, "meshc.lock"))
		if err != nil {
			t.Fatal(err)
		}
		var facts []string
		for line := range strings.Lines(string(data)) {
			if !strings.HasPrefix(line, "#") {
				facts = append(facts, line)
			}
		}
		return strings.Join(facts, "")
	}
	// The story's first step locked anew; it kept a copy before the last one.
	if a, b := read(filepath.Join(twoRepositories, "policy")), read(filepath.Join(dir, "before")); a != b {
		t.Errorf("the example's lock is\n%s\nand it is written as\n%s", a, b)
	}
}
