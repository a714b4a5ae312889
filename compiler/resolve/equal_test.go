package resolve_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/resolve"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
)

func meshJSON(t testing.TB, m *ir.Mesh) []byte {
	t.Helper()
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Equal input gives equal bytes, whatever the order of objects.
func TestOrderOfObjectsNeverShows(t *testing.T) {
	dirs, err := filepath.Glob("../../examples/*/manifests")
	if err != nil || len(dirs) == 0 {
		t.Fatal("no example has manifests", err)
	}
	for _, dir := range dirs {
		loaded, _, err := source.Load(source.Options{Paths: []string{dir}})
		if err != nil {
			t.Fatal(err)
		}
		files, _ := syntax.Parse(loaded)
		mesh, _, _, found := resolve.Mesh(files, ir.Known{}, resolve.Options{})
		want, wantFound := meshJSON(t, mesh), fmt.Sprint(found.Sorted())
		if len(mesh.Services) == 0 {
			t.Fatalf("%s has no service", dir)
		}
		r := rand.New(rand.NewSource(1))
		for range 20 {
			r.Shuffle(len(files.Objects), func(i, j int) { files.Objects[i], files.Objects[j] = files.Objects[j], files.Objects[i] })
			mesh, _, _, found := resolve.Mesh(files, ir.Known{}, resolve.Options{})
			if got := meshJSON(t, mesh); !bytes.Equal(got, want) {
				t.Fatalf("%s: the order of objects shows\n%s\n%s", dir, got, want)
			}
			if got := fmt.Sprint(found.Sorted()); got != wantFound {
				t.Fatalf("%s: the order of objects shows in findings\n%s\n%s", dir, got, wantFound)
			}
		}
	}
}

// The same policy as v1alpha1 to v1alpha4 people write it.
const (
	oldRoutes = `apiVersion: specs.smi-spec.io/%s
kind: HTTPRouteGroup
metadata: {name: g, namespace: shop}
matches:
- {name: read, pathRegex: "/a.*", methods: [GET]}
---
apiVersion: specs.smi-spec.io/%[1]s
kind: TCPRoute
metadata: {name: r, namespace: shop}
---
`
	newRoutes = `apiVersion: specs.smi-spec.io/%s
kind: HTTPRouteGroup
metadata: {name: g, namespace: shop}
spec:
  matches:
  - {name: read, pathRegex: "/a.*", methods: [GET]}
---
apiVersion: specs.smi-spec.io/%[1]s
kind: TCPRoute
metadata: {name: r, namespace: shop}
spec: %s
---
`
	oldTarget = `apiVersion: access.smi-spec.io/v1alpha1
kind: TrafficTarget
metadata: {name: t, namespace: shop}
destination: {kind: ServiceAccount, name: web, namespace: shop}
sources: [{kind: ServiceAccount, name: client, namespace: client}]
specs: [{kind: HTTPRouteGroup, name: g, matches: [read]}, {kind: TCPRoute, name: r}]
---
`
	newTarget = `apiVersion: access.smi-spec.io/%s
kind: TrafficTarget
metadata: {name: t, namespace: shop}
spec:
  destination: {kind: ServiceAccount, name: web}
  sources: [{kind: ServiceAccount, name: client, namespace: client}]
  rules: [{kind: HTTPRouteGroup, name: g, matches: [read]}, {kind: TCPRoute, name: r}]
---
`
	anySplit = `apiVersion: split.smi-spec.io/%s
kind: TrafficSplit
metadata: {name: s, namespace: shop}
spec:
  service: web
  backends: [{service: v1, weight: %s}, {service: v2, weight: %s}]
`
)

func TestRow01EqualPoliciesInEveryVersion(t *testing.T) {
	versions := map[string]string{
		"v1alpha1": fmt.Sprintf(oldRoutes, "v1alpha1") + oldTarget + fmt.Sprintf(anySplit, "v1alpha1", "1", "500m"),
		"v1alpha2": fmt.Sprintf(oldRoutes, "v1alpha2") + fmt.Sprintf(newTarget, "v1alpha2") + fmt.Sprintf(anySplit, "v1alpha2", "20", "10"),
		"v1alpha3": fmt.Sprintf(newRoutes, "v1alpha3", "{}") + fmt.Sprintf(newTarget, "v1alpha3") + fmt.Sprintf(anySplit, "v1alpha3", "1000", "500"),
		"v1alpha4": fmt.Sprintf(newRoutes, "v1alpha4", "{matches: {ports: []}}") + fmt.Sprintf(newTarget, "v1alpha4") + fmt.Sprintf(anySplit, "v1alpha4", "2", "1"),
	}
	var want []byte
	for _, v := range []string{"v1alpha1", "v1alpha2", "v1alpha3", "v1alpha4"} {
		m, _, _, found := story{shop: stores, policy: versions[v]}.run(t)
		if found.HasErrors() {
			t.Fatalf("%s: %v", v, found)
		}
		got := meshJSON(t, m)
		if want == nil {
			want = got
		}
		if !bytes.Equal(got, want) || len(m.Grants) != 1 || len(m.Splits) != 1 {
			t.Errorf("%s means something else than v1alpha1:\n%s\n%s", v, got, want)
		}
	}
}

// Every code of this room can be explained, and points somewhere when it is found.
func TestFindingsHavePlacesAndHelp(t *testing.T) {
	var all diag.List
	for _, s := range []story{
		{policy: target("  - {kind: HTTPRouteGroup, name: x}")},
		{shop: stores, policy: split("  - {service: v9, weight: 1}")},
		{shop: strings.ReplaceAll(apps, "app: web}", "app: wbe}")},
	} {
		_, _, _, found := s.run(t)
		all = append(all, found...)
	}
	for _, f := range all {
		if f.At().File == "" || f.At().Line == 0 || f.Help == "" || f.Effect == "" {
			t.Errorf("%s has no place, effect or help: %+v", f.Code, f)
		}
		if strings.HasSuffix(f.Message, ".") {
			t.Errorf("%s ends with a stop: %s", f.Code, f.Message)
		}
	}
	for _, e := range diag.Codes() {
		if slices.Contains([]byte("1234"), e.Code[3]) && (e.Explain == "" || e.Bad == "" || e.Good == "") {
			t.Errorf("%s cannot be explained", e.Code)
		}
	}
}
