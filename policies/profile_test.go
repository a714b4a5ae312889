package policies_test

import (
	"strings"
	"testing"
	"time"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/policies"
)

func costs(t *testing.T, files []*source.File, limits policies.Limits) map[diag.Code]policies.Cost {
	t.Helper()
	j, found := policies.Load(policies.Options{Files: files, NoLibrary: true, Limits: limits})
	if len(found) > 0 {
		t.Fatal(found)
	}
	world := policies.NewWorld(filesOf(t, target+"---\n"+strings.Replace(target, "buyers", "sellers", 1)), &ir.Mesh{}, nil, time.Time{})
	out := map[diag.Code]policies.Cost{}
	var share float64
	list := j.Profile(world, 2)
	for i, c := range list {
		out[c.Rule.Code] = c
		share += c.Share
		if i > 0 && c.Time > list[i-1].Time {
			t.Errorf("%s is below %s and costs more", c.Rule.Code, list[i-1].Rule.Code)
		}
	}
	if share < 0.999 || share > 1.001 {
		t.Errorf("the shares add up to %v", share)
	}
	return out
}

// Who looks for the rule that makes a check slow must be led to it by figures that
// do not depend on the machine.
func TestProfileLeadsToTheCostlyRule(t *testing.T) {
	cheap := rule("kinds: [TrafficTarget]", `deny contains {"path": [], "message": "x"} if input.object.metadata.name == "none"`)
	costly := rule("scope: mesh", `deny contains {"path": [], "message": "x"} if {
	some a in numbers.range(1, 100)
	some b in numbers.range(1, 100)
	a * b < 0
}`)
	costly.Path = "rules/s.rego"
	costly.Data = []byte(strings.NewReplacer("SHOP001", "SHOP002", "shop.r", "shop.s").Replace(string(costly.Data)))
	of := []*source.File{cheap, costly}
	got := costs(t, of, policies.Limits{})
	if c := got["SHOP001"]; c.Evaluations != 2 || c.Steps == 0 || c.Failed != "" {
		t.Errorf("a rule on two objects: %+v", c)
	}
	c := got["SHOP002"]
	if c.Evaluations != 1 || c.Steps < 10_000 || c.At != "the mesh" || c.Failed != "" {
		t.Errorf("a rule that loops 10,000 times over the mesh: %+v", c)
	}
	if again := costs(t, of, policies.Limits{})["SHOP002"]; again.Steps != c.Steps {
		t.Errorf("%d steps, and then %d", c.Steps, again.Steps)
	}
	if c := costs(t, of, policies.Limits{Steps: 100})["SHOP002"]; c.Steps != c.Limit || !strings.Contains(c.Failed, "too many steps on the mesh") {
		t.Errorf("past its limit: %+v", c)
	}
}
