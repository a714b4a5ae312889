//go:build e2e

package e2e

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/meshc/meshc/catalog/ca"
)

// Certificates come and go while requests of every protocol run: no request notices.
func TestRotation(t *testing.T) {
	ours(t)
	install(t)
	shop(t)
	step := func(name string, meanwhile func(*testing.T)) {
		t.Run(name, func(t *testing.T) { steady(t, false, meanwhile) })
	}
	step("a root below which certificates live a day", rootRotates)
	configure(t, `{"certificates": {"leaf": "1m", "intermediate": "2m"}}`)
	step("a root below which certificates live a minute", rootRotates)
	step("certificates of a minute", leavesRotate)
	step("what starts after the roots went", func(t *testing.T) {
		rollout(t, "meshc-system", "deployment/meshc-controller")
		rollout(t, "shop", "deployment/web")
	})
}

// rotations is how many certificates each proxy gets after its first.
const rotations = 4

// leavesRotate waits until each proxy was given so many certificates, and each replica
// issued by a second intermediate.
func leavesRotate(t *testing.T) {
	planes := replicas(t)
	proxies := certified(connected(planes, "shop"))
	seen, ends := map[string]map[string]bool{}, map[string]map[string]bool{}
	note := func(in map[string]map[string]bool, of, what string) int {
		if in[of] == nil {
			in[of] = map[string]bool{}
		}
		in[of][what] = true
		return len(in[of])
	}
	defer func() {
		if t.Failed() {
			t.Logf("certificates of proxies: %v\nends of intermediates: %v", seen, ends)
		}
	}()
	took := until(t, "each proxy had its certificate renewed several times", func() bool {
		done, replaced := 0, 0
		for workload, p := range certified(connected(planes, "shop")) {
			if note(seen, workload, p.Certificate) > rotations {
				done++
			}
		}
		for _, r := range planes {
			if end := r.metric(t, `meshc_xds_authority_expiry_timestamp_seconds{what="intermediate"}`); note(ends, r.pod, end) > 1 {
				replaced++
			}
		}
		return done == len(proxies) && replaced > 0 // a replica without proxies issues nothing, and needs no other
	})
	t.Logf("%d proxies had their certificates renewed %d times each in %s, by intermediates that were replaced too", len(proxies), rotations, took.Round(time.Second))
}

// authority is the mesh's, as its operator sees it.
func authority(t *testing.T) (d ca.Description) {
	t.Helper()
	if err := json.Unmarshal([]byte(meshc(t, "ca", "show", "--state", "cluster", "-o", "json")), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// rootRotates replaces the root, and holds that nothing is left of the old one.
func rootRotates(t *testing.T) {
	was, begun := authority(t), time.Now()
	meshc(t, "ca", "rotate", "--state", "cluster")
	var steps []ca.Step
	until(t, "the root is replaced", func() bool {
		d := authority(t)
		if d.Rotation == nil {
			return true
		}
		if step := d.Rotation.Step; len(steps) == 0 || steps[len(steps)-1] != step {
			steps = append(steps, step)
			t.Logf("step %s after %s", step, time.Since(begun).Round(time.Second))
		}
		return false
	})
	is := authority(t)
	t.Logf("the root is replaced after %s", time.Since(begun).Round(time.Second))
	if is.Current.Root.Fingerprint == was.Current.Root.Fingerprint || len(steps) != 2 || steps[0] != ca.StepTrust || steps[1] != ca.StepIssue {
		t.Fatalf("after steps %v the root is %s, and was %s", steps, is.Current.Root.Fingerprint, was.Current.Root.Fingerprint)
	}
	until(t, "the namespace trusts the new root alone", func() bool {
		return strings.TrimSpace(kubectl(t, "", "-n", "shop", "get", "configmap", "meshc-trust", `-o=jsonpath={.data.ca\.crt}`)) == strings.TrimSpace(is.Roots)
	})
	allConnected(t)
}
