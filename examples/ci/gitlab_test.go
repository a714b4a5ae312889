package ci

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/xeipuuv/gojsonschema"
)

const pipeline = "gitlab/.gitlab-ci.yml"

// The schema is the one that GitLab publishes (testdata/LICENSE.gitlab).
func TestPipelineIsWellFormed(t *testing.T) {
	schema, err := os.ReadFile("testdata/gitlab-ci.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	decode(t, pipeline, &doc)
	valid := func() []gojsonschema.ResultError {
		result, err := gojsonschema.Validate(gojsonschema.NewBytesLoader(schema), gojsonschema.NewGoLoader(doc))
		if err != nil {
			t.Fatal(err)
		}
		return result.Errors()
	}
	for _, e := range valid() {
		t.Errorf("%s: %s", pipeline, e)
	}
	doc["mesh-check"].(map[string]any)["artifacts"].(map[string]any)["when"] = "sometimes"
	if len(valid()) == 0 {
		t.Error("a value that GitLab does not have goes unseen: the schema judges nothing")
	}
}

// script runs the lines of a job as a runner does: the job's own after those of
// what it extends, in one shell that ends at the first failure.
func script(t *testing.T, s *site, job string, variables ...string) (string, int) {
	t.Helper()
	var jobs map[string]any
	decode(t, pipeline, &jobs)
	var lines []string
	for _, part := range [][2]string{{".meshc", "before_script"}, {job, "script"}} {
		list, ok := jobs[part[0]].(map[string]any)[part[1]].([]any)
		if !ok {
			t.Fatalf("%s has no %s", part[0], part[1])
		}
		for _, line := range list {
			lines = append(lines, line.(string))
		}
	}
	env := append([]string{"CI_PROJECT_DIR=" + s.dir, "MESHC_VERSION=v0.1.0", "MESH_PATH=."}, variables...)
	return s.run(env, "sh", "-ec", strings.Join(lines, "\n"))
}

// A project that does not say which meshc is to run is told where to say it.
func TestPipelineNeedsAVersion(t *testing.T) {
	out, code := script(t, newSite(t), "mesh-check", "MESHC_VERSION=")
	if code != 2 || !strings.Contains(out, "set the CI/CD variable MESHC_VERSION") {
		t.Errorf("it ends with %d\n%s", code, out)
	}
}

func TestPipelineJudgesCommits(t *testing.T) {
	s := newSite(t)
	comments := s.standIn("curl")
	base := s.git("rev-parse", "HEAD")
	request := []string{"CI_MERGE_REQUEST_DIFF_BASE_SHA=" + base, "CI_API_V4_URL=https://gitlab.example/api/v4", "CI_PROJECT_ID=3", "CI_MERGE_REQUEST_IID=7", "MESH_COMMENT_TOKEN=secret"}
	s.reformat()
	s.commit()
	for _, job := range []string{"mesh-check", "mesh-diff"} {
		if out, code := script(t, s, job, request...); code != 0 {
			t.Errorf("%s: a good commit fails with %d\n%s", job, code, out)
		}
	}
	if said := comments(); !strings.Contains(said, "merge_requests/7/notes") || !strings.Contains(said, "meshc diff") {
		t.Errorf("below the merge request stands %q", said)
	}
	s.widen()
	s.commit()
	if out, code := script(t, s, "mesh-diff", request...); code != 1 || !strings.Contains(out, "bookthief/bookthief") {
		t.Errorf("a commit that widens ends with %d\n%s", code, out)
	}
	if out, code := script(t, s, "mesh-diff", append(request, "CI_MERGE_REQUEST_LABELS=wip,mesh-widening-approved")...); code != 0 {
		t.Errorf("an approved one ends with %d\n%s", code, out)
	}
	if out, code := script(t, s, "mesh-check", request...); code != 1 {
		t.Errorf("a table that fails ends with %d\n%s", code, out)
	}
	s.git("reset", "-q", "--hard", base)
	s.spoil()
	s.commit()
	out, code := script(t, s, "mesh-check", request...)
	if code != 1 {
		t.Errorf("a commit with an error ends with %d\n%s", code, out)
	}
	data, err := os.ReadFile(filepath.Join(s.dir, "gl-code-quality-report.json"))
	var report []map[string]any
	if err != nil || json.Unmarshal(data, &report) != nil || len(report) == 0 {
		t.Errorf("the code quality report is not there: %v\n%s", err, data)
	}
}

func TestPipelineHoldsApplicationsAgainstContracts(t *testing.T) {
	policy := newSite(t)
	if out, code := policy.run(nil, "meshc", "lock", ".", "--contract"); code != 0 {
		t.Fatalf("exit %d\n%s", code, out)
	}
	policy.git("add", "-A")
	policy.commit()
	app := newSite(t)
	variables := []string{"MESH_POLICY_REPOSITORY=file://" + policy.dir, "MESH_PATH=manifests/bookstore.yaml"}
	if out, code := script(t, app, "mesh-contract", variables...); code != 0 {
		t.Errorf("an application as it was ends with %d\n%s", code, out)
	}
	if err := os.RemoveAll(filepath.Join(app.dir, ".mesh-policy")); err != nil {
		t.Fatal(err)
	}
	app.edit("manifests/bookstore.yaml", "port: 14001", "port: 14002")
	if out, code := script(t, app, "mesh-contract", variables...); code != 1 || !strings.Contains(out, "MSH0371") {
		t.Errorf("one that breaks ends with %d\n%s", code, out)
	}
}
