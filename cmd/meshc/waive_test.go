package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// A finding is waived from the command line: the build goes on, and the file that
// people wrote is as it was around the new lines.
func TestAFindingIsWaivedUntilADay(t *testing.T) {
	dir, _ := oldShop(t)
	config := filepath.Join(dir, "meshc.yaml")
	args := func(more ...string) []string {
		return append([]string{"waive", "MSH1503", "shop/web", "--reason", "SEC-1: old client", "--owner", "team-shop", "--now", "2027-01-01"}, more...)
	}
	wants(t, exitFindings, "check", dir, "--now", "2027-01-01")
	out, _ := wants(t, exitClean, args("--until", "2027-01-31", "--dry-run", dir)...)
	if string(read(t, config)) != strictMesh || !strings.Contains(out, "+  - code: MSH1503\n") {
		t.Errorf("a dry run wrote the file, or shows no diff:\n%s", out)
	}
	wants(t, exitClean, args("--until", "2027-01-31", dir)...)
	want := strictMesh + "  waivers:\n  - code: MSH1503\n    target: {kind: HTTPRouteGroup, namespace: shop, name: web}\n    reason: \"SEC-1: old client\"\n    owner: team-shop\n    expires: 2027-01-31\n"
	if got := string(read(t, config)); got != want {
		t.Errorf("meshc.yaml is\n%s", got)
	}
	wants(t, exitClean, "check", dir, "--now", "2027-01-31")
	wants(t, exitFindings, "check", dir, "--now", "2027-02-01")
	_, stderr := wants(t, exitUsage, args("--until", "2027-01-31", dir)...)
	has(t, stderr, "until 2027-01-31 stands at ", "meshc.yaml:")
	if got := string(read(t, config)); got != want {
		t.Errorf("a second waiver was written:\n%s", got)
	}
}

// A waiver that would waive nothing is refused, with what there is.
func TestAWaiverForNothingIsRefused(t *testing.T) {
	dir, _ := oldShop(t)
	for _, c := range []struct {
		code, target, until, says string
	}{
		{"MSH1503", "HTTPRouteGroup/shop/wbe", "2027-01-31", "HTTPRouteGroup/shop/web"},
		{"MSH1004", "TrafficTarget/shop/web", "2027-01-31", "cannot be waived"},
		{"MSH1503", "HTTPRouteGroup/shop/web", "2028-01-31", "2027-04-01"},
		{"MSH1503", "web", "2027-01-31", "KIND/NAMESPACE/NAME"},
		{"MSH1503", "../shop", "2027-01-31", "sources come after it"},
		{"MSH1503", "shop/web", "soon", "no day"},
	} {
		_, stderr := wants(t, exitUsage, "waive", c.code, c.target, "--reason", "r", "--owner", "o", "--until", c.until, "--now", "2027-01-01", dir)
		if !strings.Contains(stderr, c.says) {
			t.Errorf("%+v: %s", c, stderr)
		}
	}
	if string(read(t, filepath.Join(dir, "meshc.yaml"))) != strictMesh {
		t.Error("meshc.yaml was changed")
	}
}

// A team keeps its waivers in a file of its own: made when there is none, found
// when there is one, and nowhere that nobody reads.
func TestWaiversGoToAFileOfTheirOwn(t *testing.T) {
	dir, _ := oldShop(t)
	file := filepath.Join(dir, "waivers.yaml")
	args := []string{"waive", "MSH1503", "shop/web", "--reason", "r", "--owner", "o", "--until", "2027-01-31", "--now", "2027-01-01", dir}
	wants(t, exitInput, append(args, "--file", filepath.Join(t.TempDir(), "waivers.yaml"))...)
	wants(t, exitClean, append(args, "--file", file)...)
	wants(t, exitClean, "check", dir, "--now", "2027-01-31")
	wants(t, exitClean, append(args, "--until", "2027-02-15")...) // longer than the one there
	if text := string(read(t, file)); strings.Count(text, "- code: MSH1503") != 2 {
		t.Errorf("the waivers are\n%s", text)
	}
}

// A field that nothing was found in is answered with those there are.
func TestAWaiverOfAFieldSaysWhereTheFindingsAre(t *testing.T) {
	dir, _ := oldShop(t)
	waive := func(field string) string {
		_, stderr := wants(t, exitUsage, "waive", "MSH1503", "shop/web", "--field", field, "--reason", "r", "--owner", "o", "--until", "2027-01-31", "--now", "2027-01-01", dir)
		return stderr
	}
	has(t, waive("spec.match"), `not in the field "spec.match"; it was found in spec.matches`)
	has(t, waive("spec.matches[0]"), "counts no items", "spec.matches")
}

// A comment in meshc.yaml waives what is found there, and only where comments count.
func TestACommentInTheConfigurationWaives(t *testing.T) {
	dir := copied(t, "../../examples/02-canary")
	config := filepath.Join(dir, "meshc.yaml")
	changed(t, config, "spec:\n", "spec:\n  # meshc:waive MSH4015 until=2027-01-31 owner=ops reason=\"the cluster tells\"\n  egress: allow\n  rules: {commentWaivers: true}\n")
	wants(t, exitClean, "check", dir, "--fail-on", "warning", "--now", "2027-01-02")
	_, stderr := wants(t, exitFindings, "check", dir, "--fail-on", "warning", "--now", "2027-02-01")
	has(t, stderr, "warning[MSH4015]", "meshc.yaml:6:3")
	changed(t, config, "commentWaivers: true", "commentWaivers: false")
	_, stderr = wants(t, exitFindings, "check", dir, "--fail-on", "warning", "--now", "2027-01-02")
	has(t, stderr, "warning[MSH0908]", "warning[MSH4015]")
}
