package waive

import (
	"errors"
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/syntax"
)

func fresh() syntax.Waiver {
	return syntax.Waiver{
		Code: "MSH1503", Target: syntax.WaiverTarget{Kind: "HTTPRouteGroup", Namespace: "shop", Name: "web-*"},
		Reason: `it's "old": see #7`, Owner: "team-shop", Expires: date2("2027-01-31"),
	}
}

const (
	meshHead  = "apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata: {name: town}  # ours\n"
	blockItem = "- code: MSH1503\n  target: {kind: HTTPRouteGroup, namespace: shop, name: \"web-*\"}\n  reason: \"it's \\\"old\\\": see #7\"\n  owner: team-shop\n  expires: 2027-01-31\n"
	flowItem  = "{code: MSH1503, target: {kind: HTTPRouteGroup, namespace: shop, name: \"web-*\"}, reason: \"it's \\\"old\\\": see #7\", owner: team-shop, expires: 2027-01-31}"
	oldItem   = "{code: MSH1501, target: {kind: TrafficTarget, namespace: a, name: b}, reason: r, owner: o, expires: 2027-01-01}"
)

func indented(by string) string {
	return by + strings.ReplaceAll(strings.TrimSuffix(blockItem, "\n"), "\n", "\n"+by) + "\n"
}

// A waiver is added in the style that the author has chosen, and not a byte of
// anything else changes.
func TestAWaiverIsAddedAndTheRestStays(t *testing.T) {
	for _, c := range []struct{ name, before, after string }{
		{"a list in blocks", meshHead + "spec:\n  waivers:  # reviewed\n  - " + oldItem + "  # why\n\n  # the mode\n  mode: strict\n",
			meshHead + "spec:\n  waivers:  # reviewed\n  - " + oldItem + "  # why\n" + indented("  ") + "\n  # the mode\n  mode: strict\n"},
		{"a list that is indented", meshHead + "spec:\n  waivers:\n    - " + oldItem + "\n", meshHead + "spec:\n  waivers:\n    - " + oldItem + "\n" + indented("    ")},
		{"an empty list", meshHead + "spec:\n  waivers: []\n  mode: strict\n", meshHead + "spec:\n  waivers:\n" + indented("  ") + "  mode: strict\n"},
		{"no value, with a comment", meshHead + "spec:\n  waivers:  # none yet\n  mode: strict\n", meshHead + "spec:\n  waivers:  # none yet\n" + indented("  ") + "  mode: strict\n"},
		{"a list in a line", meshHead + "spec:\n  waivers: [" + oldItem + "]  # all\n", meshHead + "spec:\n  waivers: [" + oldItem + ", " + flowItem + "]  # all\n"},
		{"a list in brackets over lines", meshHead + "spec:\n  waivers: [\n    " + oldItem + "  # ]\n  ]\n", meshHead + "spec:\n  waivers: [\n    " + oldItem + "  # ]\n  , " + flowItem + "]\n"},
		{"no list", meshHead + "spec:\n    mode: strict\n    # the end\n", meshHead + "spec:\n    mode: strict\n    waivers:\n" + indented("    ") + "    # the end\n"},
		{"no spec, no end of line", strings.TrimSuffix(meshHead, "\n"), meshHead + "spec:\n  waivers:\n" + strings.TrimSuffix(indented("  "), "\n")},
		{"a spec in a line", meshHead + "spec: {mode: strict}\n", meshHead + "spec: {mode: strict, waivers: [" + flowItem + "]}\n"},
		{"Waivers among other documents", "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\napiVersion: meshc.dev/v1alpha1\nkind: Waivers\nmetadata: {name: w}\nspec:\n  waivers:\n  - " + oldItem + "\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: more}\n",
			"apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\napiVersion: meshc.dev/v1alpha1\nkind: Waivers\nmetadata: {name: w}\nspec:\n  waivers:\n  - " + oldItem + "\n" + indented("  ") + "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: more}\n"},
		{"nothing yet", "", "apiVersion: meshc.dev/v1alpha1\nkind: Waivers\nmetadata:\n  name: waivers\nspec:\n  waivers:\n" + indented("  ")},
	} {
		got, err := Write("meshc.yaml", []byte(c.before), fresh())
		if err != nil || string(got) != c.after {
			t.Errorf("%s: %v\n%s\nwant\n%s", c.name, err, got, c.after)
		}
	}
}

// A file with line ends of Windows keeps them, in what is added too.
func TestLineEndsOfWindowsStay(t *testing.T) {
	before := strings.ReplaceAll(meshHead+"spec:\n  waivers: []\n  mode: strict\n", "\n", "\r\n")
	got, err := Write("meshc.yaml", []byte(before), fresh())
	if err != nil || strings.Count(string(got), "\n") != strings.Count(string(got), "\r\n") {
		t.Errorf("%q, %v", got, err)
	}
}

// What could not be read back is not written.
func TestAWaiverIsNotForcedIntoAFile(t *testing.T) {
	for _, before := range []string{
		"apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n",
		meshHead + "spec: 7\n",
		meshHead + "spec:\n  waivers: 7\n",
		meshHead + "spec:\n\twaivers: []\n",
	} {
		if got, err := Write("meshc.yaml", []byte(before), fresh()); !errors.Is(err, ErrNoPlace) {
			t.Errorf("%q became %q, %v", before, got, err)
		}
	}
}

// Who waives what nobody found, what nobody may waive or for too long learns it
// at once, and what there is.
func TestAProposalThatWouldWaiveNothingIsRefused(t *testing.T) {
	found := diag.List{rule(web, "spec.rules[0]"), rule(diag.Object{Kind: "TrafficTarget", Namespace: "shop", Name: "cart"}, "")}
	of := func(code diag.Code, kind, name, until string) syntax.Waiver {
		return syntax.Waiver{Code: code, Target: syntax.WaiverTarget{Kind: kind, Namespace: "shop", Name: name}, Expires: date2(until)}
	}
	for _, c := range []struct {
		w    syntax.Waiver
		says string
	}{
		{of("MSH1004", "TrafficTarget", "web", "2026-08-01"), "cannot be waived"},
		{of("ACME001", "TrafficTarget", "web", "2026-06-14"), "over"},
		{of("ACME001", "TrafficTarget", "web", "2027-06-14"), "2026-09-13"},
		{of("ACME001", "TrafficTarget", "wbe", "2026-08-01"), "found of TrafficTarget/shop/cart, TrafficTarget/shop/web"},
		{of("ACME009", "TrafficTarget", "web", "2026-08-01"), "not found of anything"},
		{syntax.Waiver{Code: "ACME001", Target: syntax.WaiverTarget{Kind: "*", Namespace: "*", Name: "*"}, Expires: date2("2026-08-01")}, "every kind"},
	} {
		if _, _, err := Propose(found, c.w, 0, now); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v, want %q", c.w, err, c.says)
		}
	}
	w, matched, err := Propose(found, of("ACME001", "", "w*", "2026-08-01"), 0, now)
	if err != nil || w.Target.Kind != "TrafficTarget" || len(matched) != 1 {
		t.Errorf("%+v for %v, %v", w, matched, err)
	}
}
