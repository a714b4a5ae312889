//go:build e2e

package e2e

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// step is a command of a README, and what it says there that it prints.
type step struct {
	command string
	output  []string
}

// steps reads the commands of a README: lines of ```console blocks that begin with
// `$ `, with what they print below them, where … stands for anything.
func steps(text string) (out []step) {
	inside := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		command, is := strings.CutPrefix(line, "$ ")
		switch {
		case strings.HasPrefix(line, "```"):
			inside = line == "```console"
		case !inside:
		case is:
			out = append(out, step{command: command})
		case strings.HasSuffix(out[len(out)-1].command, `\`):
			out[len(out)-1].command += "\n" + line
		default:
			out[len(out)-1].output = append(out[len(out)-1].output, line)
		}
	}
	return out
}

// A reader who types what examples/09-kubernetes says sees what it says, in less than
// five minutes, and has the cluster back as it was.
func TestReadmeOfTheKubernetesExample(t *testing.T) {
	text, err := os.ReadFile(example("README.md"))
	if err != nil {
		t.Fatal(err)
	}
	all := steps(string(text))
	if len(all) < 10 {
		t.Fatalf("the README has %d commands, want the whole story", len(all))
	}
	before := objects(t)
	begin := time.Now()
	for _, s := range all {
		s.run(t)
	}
	took := time.Since(begin)
	t.Logf("%d commands in %s", len(all), took.Round(time.Second))
	if took > 5*time.Minute {
		t.Errorf("the commands took %s, the README says less than five minutes", took)
	}
	var left []string
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Second) {
		// What is deleted in the background may still be there for a while.
		if left = changed(before, objects(t)); len(left) == 0 || time.Now().After(deadline) {
			break
		}
	}
	for _, line := range left {
		t.Error(line)
	}
	t.Logf("%d objects before, the same after", len(before))
}

func (s step) run(t *testing.T) {
	t.Helper()
	begin := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	// Policy takes effect in less than a second, and rolling pods take some: what is
	// printed is asked for again until it is as it says, for as long as a reader would.
	for {
		cmd := exec.CommandContext(ctx, "bash", "-eu", "-o", "pipefail", "-c", s.command)
		cmd.Dir = world.Root
		out, err := cmd.CombinedOutput()
		if err == nil && s.prints(string(out)) {
			t.Logf("%6.1fs $ %s\n%s", time.Since(begin).Seconds(), s.command, out)
			return
		}
		if err != nil || time.Since(begin) > 10*time.Second {
			t.Fatalf("$ %s\n%s\n(%v), want\n%s", s.command, out, err, strings.Join(s.output, "\n"))
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// prints holds that the lines that are said appear, in their order.
func (s step) prints(out string) bool {
	pattern := ""
	for _, line := range s.output {
		pattern += "(?:.*\n)*?" + strings.ReplaceAll(regexp.QuoteMeta(strings.TrimSpace(line)), "…", ".*") + "\\s*\n"
	}
	return regexp.MustCompile("^" + pattern).MatchString(out)
}
