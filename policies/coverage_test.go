package policies_test

import (
	"strings"
	"testing"
	"time"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/policies"
)

const twoWays = `deny contains {"path": ["metadata"], "message": "no owner"} if {
	not input.object.metadata.labels.owner
}

deny contains {"path": ["metadata"], "message": "tier two"} if {
	input.object.metadata.labels.tier == "two"
	count(input.object.spec.sources) > 1
}`

const oneWayTested = `package shop.r_test

import data.shop.r

test_no_owner if count(r.deny) == 1 with input.object as {"metadata": {"name": "x"}}
`

// Coverage that hides a branch which nothing reaches is a false comfort; one that
// does not see what samples reach makes people write tests twice.
func TestCoverageTellsWhatIsNotReached(t *testing.T) {
	of := []*source.File{rule("kinds: [TrafficTarget]", twoWays), {Path: "rules/r_test.rego", Data: []byte(oneWayTested)}}
	c := policies.NewCoverage()
	results, found := c.Test(of, nil)
	if len(found) > 0 || len(results) != 1 || !results[0].Passed {
		t.Fatal(found, results)
	}
	files := c.Files()
	if len(files) != 1 || files[0].File != "rules/r.rego" || files[0].Code != "SHOP001" {
		t.Fatalf("files are %+v", files)
	}
	var missed []string
	for _, at := range files[0].Missed {
		missed = append(missed, at.String())
	}
	if got := strings.Join(missed, " "); !strings.Contains(got, "rules/r.rego:13:") || strings.Contains(got, "rules/r.rego:9:") {
		t.Errorf("missed %s; the second way is reached by no test, the first one is", got)
	}
	if p := files[0].Percent(); p <= 0 || p >= 100 || policies.Total(files).Percent() != p {
		t.Errorf("%v%% of %d lines", p, files[0].Lines())
	}

	judge, found := policies.Load(policies.Options{Files: of, NoLibrary: true})
	if len(found) > 0 {
		t.Fatal(found)
	}
	c.Judge(judge, policies.NewWorld(filesOf(t, target), &ir.Mesh{}, nil, time.Time{}))
	if got := c.Files()[0]; got.Percent() != 100 || len(got.Missed) != 0 {
		t.Errorf("with a sample that goes the other way: %+v", got)
	}
}
