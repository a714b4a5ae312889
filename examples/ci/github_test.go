package ci

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rhysd/actionlint"
)

// laidOut is a repository with a workflow and the action where the README puts them.
func laidOut(t *testing.T, workflow string) *site {
	t.Helper()
	s := newSite(t)
	s.copyIn("github/action.yml", ".github/actions/meshc/action.yml")
	s.copyIn(workflow, ".github/workflows/mesh.yml")
	return s
}

func lint(t *testing.T, s *site) []*actionlint.Error {
	t.Helper()
	linter, err := actionlint.NewLinter(io.Discard, &actionlint.LinterOptions{WorkingDir: s.dir})
	if err != nil {
		t.Fatal(err)
	}
	found, err := linter.LintRepository(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestWorkflowsAreWellFormed(t *testing.T) {
	for workflow, path := range map[string]string{"github/policy.yml": "path: .\n", "github/application.yml": "path: deploy"} {
		s := laidOut(t, workflow)
		for _, e := range lint(t, s) {
			t.Errorf("%s: %v", workflow, e)
		}
		s.edit(".github/workflows/mesh.yml", path, "paht"+path[len("path"):])
		if len(lint(t, s)) == 0 {
			t.Errorf("%s: an input that the action does not have goes unseen: the linter sees nothing", workflow)
		}
	}
}

// Whatever others publish is pinned by commit, and meshc by version.
func TestActionsArePinned(t *testing.T) {
	uses := regexp.MustCompile(`uses: (\S+)`)
	pinned := regexp.MustCompile(`^[\w-]+/[\w./-]+@[0-9a-f]{40}$`)
	for _, name := range []string{"github/action.yml", "github/policy.yml", "github/application.yml"} {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all := uses.FindAllStringSubmatch(string(data), -1)
		if len(all) == 0 {
			t.Errorf("%s uses nothing", name)
		}
		for _, u := range all {
			if !pinned.MatchString(u[1]) && u[1] != "./.github/actions/meshc" {
				t.Errorf("%s: %s is not pinned by a commit", name, u[1])
			}
		}
	}
}

// action is what the test reads of action.yml.
type action struct {
	Inputs map[string]struct{ Default string }
	Runs   struct {
		Steps []struct {
			Name, If, Run, Uses string
			Env                 map[string]string
		}
	}
}

var expression = regexp.MustCompile(`\$\{\{ (\S+) \}\}`)

// perform runs the steps of the action that need no service, in order, as a runner
// does: to the first one that fails. It gives what they printed and which failed.
func perform(t *testing.T, s *site, inputs map[string]string, steps ...string) (printed, failed string) {
	t.Helper()
	var a action
	decode(t, "github/action.yml", &a)
	temp := t.TempDir()
	output := filepath.Join(temp, "output")
	env := []string{"RUNNER_TEMP=" + temp, "GITHUB_OUTPUT=" + output, "GITHUB_PATH=" + filepath.Join(temp, "path"), "GITHUB_STEP_SUMMARY=" + filepath.Join(temp, "summary")}
	known := func(name string) string {
		if input, ok := strings.CutPrefix(name, "inputs."); ok {
			if v, given := inputs[input]; given {
				return v
			}
			if in, declared := a.Inputs[input]; declared {
				return expression.ReplaceAllString(in.Default, "token")
			}
		}
		if out, ok := strings.CutPrefix(name, "steps.compare.outputs."); ok {
			data, _ := os.ReadFile(output)
			_, value, _ := strings.Cut(string(data), out+"=")
			return strings.TrimSpace(value)
		}
		if name == "github.event.pull_request.number" {
			return "7"
		}
		t.Fatalf("the runner knows no %q", name)
		return ""
	}
	for _, name := range steps {
		found := false
		for _, step := range a.Runs.Steps {
			if step.Name != name {
				continue
			}
			found = true
			own := env
			for k, v := range step.Env {
				own = append(own, k+"="+expression.ReplaceAllStringFunc(v, func(e string) string { return known(expression.FindStringSubmatch(e)[1]) }))
			}
			if expression.MatchString(step.Run) {
				t.Errorf("step %q puts an expression into a script: what stands in a pull request would run", name)
			}
			out, code := s.run(own, "bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step.Run)
			printed += out
			if said, _ := os.ReadFile(output); name == "Check" && !strings.Contains(string(said), "sarif=true\n") {
				t.Errorf("the findings are not uploaded: the step says %q", said)
			}
			if code != 0 {
				return printed, name
			}
		}
		if !found {
			t.Fatalf("the action has no step %q", name)
		}
	}
	return printed, ""
}

// A repository that does not say which meshc is to run is told where to say it.
func TestActionNeedsAVersion(t *testing.T) {
	printed, failed := perform(t, newSite(t), map[string]string{"version": ""}, "Which meshc")
	if failed == "" || !strings.Contains(printed, "set the variable MESHC_VERSION") {
		t.Errorf("it ends at %q\n%s", failed, printed)
	}
	if printed, failed := perform(t, newSite(t), map[string]string{"version": "v1.2.3"}, "Which meshc"); failed != "" {
		t.Errorf("%s fails:\n%s", failed, printed)
	}
}

var policySteps = []string{"Find meshc", "Check", "Test", "Compare", "Comment", "Judge the change"}

func TestActionJudgesCommits(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*site)
		inputs map[string]string
		failed string
		says   []string
	}{
		{"a commit that changes nothing passes", (*site).reformat, nil, "", nil},
		{"a commit that widens fails", (*site).widen, map[string]string{"test": "false"}, "Judge the change", []string{"::error title=meshc diff::"}},
		{"an approved one passes", (*site).widen, map[string]string{"fail-on-change": ""}, "", nil},
		{"a commit with an error fails", (*site).spoil, nil, "Check", []string{"::error file=" + accessFile, "MSH3001"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t)
			comments := s.standIn("gh")
			base := s.git("rev-parse", "HEAD")
			s.git("checkout", "-qb", "topic")
			c.change(s)
			s.commit()
			inputs := map[string]string{"base": base}
			for k, v := range c.inputs {
				inputs[k] = v
			}
			steps := policySteps
			if c.name != "a commit that changes nothing passes" && c.name != "a commit with an error fails" {
				steps = []string{"Find meshc", "Check", "Compare", "Comment", "Judge the change"} // its table says that bookthief is kept out
			}
			printed, failed := perform(t, s, inputs, steps...)
			if failed != c.failed {
				t.Errorf("step %q failed, not %q\n%s", failed, c.failed, printed)
			}
			for _, want := range c.says {
				if !strings.Contains(printed, want) {
					t.Errorf("it does not print %q:\n%s", want, printed)
				}
			}
			if said := comments(); c.failed != "Check" && (!strings.HasPrefix(said, "pr comment 7 ") || !strings.Contains(said, "meshc diff")) {
				t.Errorf("below the pull request stands %q", said)
			}
		})
	}
}

// A table that fails is a step that fails: access that nobody may have.
func TestActionRunsTables(t *testing.T) {
	s := newSite(t)
	s.widen()
	s.commit()
	if printed, failed := perform(t, s, nil, "Find meshc", "Check", "Test"); failed != "Test" {
		t.Errorf("step %q failed, not Test\n%s", failed, printed)
	}
}

func TestActionHoldsApplicationsAgainstContracts(t *testing.T) {
	s := newSite(t)
	if out, code := s.run(nil, "meshc", "lock", ".", "--contract"); code != 0 {
		t.Fatalf("exit %d\n%s", code, out)
	}
	inputs := map[string]string{"contract": "contracts", "path": "manifests/bookstore.yaml"}
	if printed, failed := perform(t, s, inputs, "Find meshc", "Check"); failed != "" {
		t.Errorf("step %q failed\n%s", failed, printed)
	}
	s.edit("manifests/bookstore.yaml", "port: 14001", "port: 14002")
	printed, failed := perform(t, s, inputs, "Find meshc", "Check")
	if failed != "Check" || !strings.Contains(printed, "::error file=manifests/bookstore.yaml") || !strings.Contains(printed, "MSH0371") {
		t.Errorf("step %q failed\n%s", failed, printed)
	}
}
