package main

import (
	"path/filepath"
	"strings"
	"testing"
)

const slips = `# ours
apiVersion: specs.smi-spec.io/v1alpha3
kind: HTTPRouteGroup
metadata: {name: web, namespace: shop}
spec:
  matches:
  - name: read  # the list
    pathRegx: "/items.html$"
    methods: [get]
  - name: buy
    pathRegex: '/buy.php$'
    methods: [POST]
---
apiVersion: access.smi-spec.io/v1alph3
kind: TrafficTarget
metadata: {name: web, namespace: shop}
spec:
  destination: {kind: ServiceAccount, name: web, namespace: shop}
  rules:
  - kind: HTTPRouteGrop
    name: web
    matches: [reed, buy]
  sources:
  - kind: ServiceAccount
    name: frnt  # who buys
    namespace: shop
`

const mendedSlips = `# ours
apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata: {name: web, namespace: shop}
spec:
  matches:
  - name: read  # the list
    pathRegex: "/items\\.html$"
    methods: [GET]
  - name: buy
    pathRegex: '/buy\.php$'
    methods: [POST]
---
apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: web, namespace: shop}
spec:
  destination: {kind: ServiceAccount, name: web, namespace: shop}
  rules:
  - kind: HTTPRouteGroup
    name: web
    matches: [read, buy]
  sources:
  - kind: ServiceAccount
    name: front  # who buys
    namespace: shop
`

// One run mends what is surely a slip, layer by layer, and keeps comments, layout
// and quotation marks; a second run changes nothing.
func TestSlipsAreMendedInOneRun(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"apps.yaml": appsManifests, "policy.yaml": slips})
	file := filepath.Join(dir, "policy.yaml")
	diff, _ := wants(t, exitClean, "check", dir, "--fix", "--dry-run")
	if string(read(t, file)) != slips || !strings.Contains(diff, "-    pathRegx: \"/items.html$\"\n") || !strings.Contains(diff, "+    methods: [GET]\n") {
		t.Errorf("a dry run wrote the file, or its diff does not show the change:\n%s", diff)
	}
	wants(t, exitClean, "check", dir, "--fix")
	if got := string(read(t, file)); got != mendedSlips {
		t.Errorf("mended:\n%s", got)
	}
	_, stderr := wants(t, exitClean, "check", dir, "--fix")
	if !strings.Contains(stderr, "fixed 0 findings in 0 files") || string(read(t, file)) != mendedSlips {
		t.Errorf("a second run changes something:\n%s", stderr)
	}
}

// What meshc cannot write back to its source it leaves alone, and says why.
func TestWhatIsRenderedIsNotMended(t *testing.T) {
	code, _, stderr := meshc(t, slips, "check", "-", "--fix")
	if code != exitFindings || !strings.Contains(stderr, "standard input") {
		t.Errorf("exit %d\n%s", code, stderr)
	}
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"kustomization.yaml": "resources: [apps.yaml, policy.yaml]\n", "apps.yaml": appsManifests, "policy.yaml": slips})
	_, stderr = wants(t, exitFindings, "check", dir, "--fix")
	if !strings.Contains(stderr, "kustomization renders it") || string(read(t, filepath.Join(dir, "policy.yaml"))) != slips {
		t.Errorf("a base is changed, or nobody says why not:\n%s", stderr)
	}
	wants(t, exitUsage, "check", dir, "--dry-run")
}

// A line of the baseline that nothing needs goes with --fix.
func TestABaselineShrinksByFix(t *testing.T) {
	dir, file := oldShop(t)
	wants(t, exitClean, "check", dir, "--write-baseline", file)
	writeFiles(t, dir, map[string]string{"policy.yaml": strings.Replace(oldPolicy, ", TRACE", "", 1)})
	wants(t, exitClean, "check", dir, "--baseline", file, "--fix")
	if text := string(read(t, file)); strings.Contains(text, "MSH1503") || !strings.HasPrefix(text, "# meshc baseline v1\n") {
		t.Errorf("the baseline is\n%s", text)
	}
}

// What aliases repeat is mended at its anchor where every one of them has the fault, and
// left alone, with the reason, where one means what it says.
func TestFixesAtAnAnchorAreOfAllItsAliases(t *testing.T) {
	dir := t.TempDir()
	const routes = `apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata: {name: items, namespace: shop}
spec:
  matches:
  - &base
    name: a
    pathRegex: /a$
    methods: &m
    - get
  - {name: b, pathRegex: /b$, methods: *m}
  - <<: *base
    name: c
  - {name: d, pathRegex: /d$, methods: [&one post]}
  - {name: *one, pathRegex: /e$, methods: [GET]} # a match that is called so
`
	writeFiles(t, dir, map[string]string{"apps.yaml": appsManifests, "routes.yaml": routes})
	_, stderr := wants(t, exitFindings, "check", dir, "--fix")
	has(t, stderr, "the anchor &one (", "is 2 values", "fixed 3 findings in 1 file")
	want := strings.Replace(routes, "- get", "- GET", 1)
	if got := string(read(t, filepath.Join(dir, "routes.yaml"))); got != want {
		t.Errorf("mended:\n%s", got)
	}
}
