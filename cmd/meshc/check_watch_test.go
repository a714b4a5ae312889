package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/meshc/meshc/compiler/diag"
)

// watchingCheck runs check --watch. until waits for an answer that fits and gives it;
// end stops the run and gives its exit code.
func watchingCheck(t *testing.T, args ...string) (until func(what string, fits func(string) bool) string, end func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	code, answers := make(chan int, 1), make(chan string, 1000)
	go func() {
		code <- run(ctx, append([]string{"check", "--watch"}, args...), streams{In: strings.NewReader(""), Out: w, Err: w})
		w.Close()
	}()
	go func() {
		defer close(answers)
		text := ""
		for lines := bufio.NewScanner(r); lines.Scan(); {
			t.Log(lines.Text())
			if text += lines.Text() + "\n"; answered.MatchString(lines.Text()) {
				answers <- text
				text = ""
			}
		}
	}()
	until = func(what string, fits func(string) bool) string {
		t.Helper()
		for late := time.After(60 * time.Second); ; {
			select {
			case a, open := <-answers:
				if !open {
					t.Fatalf("it ended before it told %s", what)
				}
				if fits(a) {
					return a
				}
			case <-late:
				t.Fatalf("no answer tells %s", what)
			}
		}
	}
	stopped := false
	end = func() int {
		if stopped {
			return 0
		}
		stopped = true
		cancel()
		c := <-code
		for range answers { // until the output has ended
		}
		return c
	}
	t.Cleanup(func() { end() })
	return until, end
}

// answered is the last line of an answer.
var answered = regexp.MustCompile(`; answered in \d+\.\d ms$`)

func holding(parts ...string) func(string) bool {
	return func(answer string) bool {
		for _, p := range parts {
			if !strings.Contains(answer, p) {
				return false
			}
		}
		return true
	}
}

// Who edits is told what each edit did: faults that came, faults that went, however
// the editor saves and whatever became of the files.
func TestCheckWatch(t *testing.T) {
	dir := t.TempDir()
	mesh := filepath.Join(dir, "mesh")
	policy, sarif := filepath.Join(mesh, "policy.yaml"), filepath.Join(dir, "out.sarif")
	files := map[string]string{"mesh/apps.yaml": appsManifests, "mesh/policy.yaml": policyManifests}
	writeFiles(t, dir, files)
	until, end := watchingCheck(t, mesh, "--min-severity", "error", "--report", "compact", "--report", "sarif="+sarif)
	until("the first state", holding("in 2 files"))
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	write := func(name, text string) {
		t.Helper()
		do(os.WriteFile(name, []byte(text), 0o644))
	}
	misspelt := strings.Replace(policyManifests, "name: all}]", "name: al}]", 1)

	write(policy, policyManifests+"---\na: [\n")
	until("a broken edit", holding("policy.yaml:", "error[MSH0040]", "1 appeared, 0 gone: 1 error"))
	if text := read(t, sarif); !strings.Contains(string(text), "MSH0040") {
		t.Errorf("the report in a file was not renewed: %s", text)
	}
	write(policy+"~", misspelt)
	do(os.Rename(policy+"~", policy))
	until("an editor that renames", holding("gone: ", "MSH0040", "policy.yaml:11:", "1 appeared, 1 gone: 1 error"))
	do(os.Rename(policy, filepath.Join(mesh, "renamed.yaml")))
	until("a file with another name", holding("0 appeared, 0 gone: 1 error"))
	write(filepath.Join(mesh, "renamed.yaml"), "# a line more\n"+misspelt)
	until("a finding that moved", holding("0 appeared, 0 gone: 1 error"))

	do(os.Rename(mesh, mesh+"-away"))
	until("a folder that is gone", holding("not judged as it is now", mesh))
	do(os.Rename(mesh+"-away", mesh))
	until("the folder again", func(a string) bool { return !strings.Contains(a, "not judged") && strings.Contains(a, "1 error") })
	do(os.Mkdir(filepath.Join(mesh, "more"), 0o755))
	write(filepath.Join(mesh, "more", "b.yaml"), "a: [\n")
	until("a new folder", holding("b.yaml:1:", "2 errors", "in 3 files"))
	do(os.RemoveAll(filepath.Join(mesh, "more")))
	until("a removed folder", holding("gone: ", "b.yaml:1:", "in 2 files"))
	if code := end(); code != exitFindings {
		t.Errorf("it ends with %d where a check would find an error", code)
	}
}

// What cannot be watched, or is no answer, is refused before anything is watched.
func TestCheckWatchRefuses(t *testing.T) {
	wants(t, exitUsage, "check", "--watch", "-")
	wants(t, exitUsage, "check", "--watch", "-o", "json")
	wants(t, exitUsage, "check", "--watch", "--fail-on", "perhaps")
}

// A finding that only moved neither appeared nor went; one that is there once more
// appeared once.
func TestChangesOfFindings(t *testing.T) {
	at := func(lines ...int) (out diag.List) {
		for _, line := range lines {
			out.Add(diag.New("MSH0040", diag.Span{File: "a.yaml", Line: line, Col: 1}, "a value is missing"))
		}
		return out
	}
	one, two := at(3), at(4)
	if appeared, went := changes(one, two); len(appeared)+len(went) != 0 {
		t.Errorf("a finding that moved counts as %d and %d", len(appeared), len(went))
	}
	twice := at(4, 9)
	if appeared, went := changes(one, twice); len(appeared) != 1 || len(went) != 0 {
		t.Errorf("a second one counts as %d and %d", len(appeared), len(went))
	}
	if appeared, went := changes(twice, one); len(appeared) != 0 || len(went) != 1 {
		t.Errorf("the end of one of two counts as %d and %d", len(appeared), len(went))
	}
}
