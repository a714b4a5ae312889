package verify_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/verify"
	"github.com/meshc/meshc/compiler/verify/probe"
)

// Who reads of a defect must not have to guess what of a request matters: of what
// is shown nothing can be left out, and it names the client, the service port and
// the objects that decide.
func TestADisagreementIsShownSmall(t *testing.T) {
	shown := 0
	for _, name := range slices.Sorted(maps.Keys(bugs)) {
		m := town()
		plan := lowered(t, m)
		bugs[name](plan)
		compiled, err := verify.New(plan)
		if err != nil {
			continue // no request is needed to show it
		}
		for _, d := range verify.Compare(m, plan) {
			r := d.Request
			if r.HTTP == nil || !differ(m, compiled, r) {
				continue
			}
			shown++
			for _, less := range probe.Smaller(*r.HTTP) {
				smaller := r
				smaller.HTTP = &less
				if differ(m, compiled, smaller) {
					t.Errorf("%s: %s is shown, and %s would do", name, d.Asked, verify.Words(smaller))
				}
			}
			to := r.To.String()
			if r.External != "" {
				to = r.External
			}
			from := r.From == "" || strings.Contains(d.Asked, " from "+r.From.Short())
			if !from || !strings.Contains(d.Asked, to) || len(d.About) == 0 {
				t.Errorf("%s: %q about %v does not name who and where", name, d.Asked, d.About)
			}
		}
	}
	if shown < 20 {
		t.Errorf("only %d requests were shown", shown)
	}
}

func differ(m *ir.Mesh, compiled *verify.Mesh, r ir.Request) bool {
	want := ir.Decide(m, r)
	got, err := compiled.Decide(r)
	return err == nil && want.Outcome != ir.Unknown && want.Disagreement(got) != ""
}

// One defect of a match with a method, a path and a header is shown with just
// what it takes: the whole sentence, as the finding has it.
func TestTheSmallestExampleNamesObjectClientAndPort(t *testing.T) {
	m := town()
	plan := lowered(t, m)
	bugs["a header is lost"](plan)
	found := verify.Compare(m, plan)
	if len(found) != 1 {
		t.Fatalf("%d disagreements", len(found))
	}
	d := found[0]
	if d.Asked != "POST /admin from a/client to a/server:80" {
		t.Errorf("it shows %q", d.Asked)
	}
	if d.About[0] != "TrafficTarget/a/server#rule0" || !strings.Contains(d.Why, "deny (status 403) by none against allow (status 0) by TrafficTarget/a/server#rule0") {
		t.Errorf("it is about %v: %s", d.About, d.Why)
	}
}
