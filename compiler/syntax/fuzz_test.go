package syntax_test

import (
	"testing"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/test/fuzz/guard"
)

// Whatever the bytes, there is no panic, every finding has a position in the
// file, every object answers for the position of what it has not, and an object
// that cannot be decoded says so: what has an error counts as not decoded.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"apiVersion: split.smi-spec.io/v1alpha2\nkind: TrafficSplit\nmetadata: {name: a, namespace: b}\nspec:\n  service: x\n  backends:\n  — service: y\n  weight: 1\n",
		"apiVersion: access.smi-spec.io/v1alpha1\nkind: TrafficTarget\nmetadata:\n  name: a\nspecs: [{kind: TCPRoute, name: b, matches: []}]\ndestination: {port: 0}\n",
		"apiVersion: specs.smi-spec.io/v1alpha4\nkind: HTTPRouteGroup\nmetadata: {name: a}\nspec: {matches: [{name: b, methods: [get], headers: [{a: b, c: d}, x]}]}\n",
		"apiVersion: v1\nkind: List\nitems:\n- &a {apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [{port: 1e3}]}}\n- *a\n",
		"apiVersion: apps/v1\nkind: Deployment\nmetadata: {<<: {name: a}}\nspec: {template: {spec: {containers: [{ports: [{containerPort: x}]}]}}}\n",
		"apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nspec: {assume: [{service: a}], environments: {x: {mode: y}}}\n---\nkind: VerdictTable\napiVersion: meshc.dev/v1alpha1\nspec: {cases: [{http: {headers: {a: [b]}}}]}\n",
		"a: &a [*a]\n--- |\n  text\n...\n\ufeff\u2028\tx: “y”\r\n# Source: z\n",
		"\xff\xfea\x00", "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\n\t\"metadata\":{}}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		tree := source.FromMap(map[string][]byte{"in.yaml": data, source.ConfigName: data})
		tree.Environment = "x"
		tree.Limits.Nodes = 20_000
		var files *syntax.Files
		var found diag.List
		guard.Run(t, 64<<20+uint64(len(data))<<12, func() { files, found = syntax.Parse(tree) })
		for _, finding := range found {
			if at := finding.At(); at.Line < 1 || at.Col < 1 || at.File == "" {
				t.Errorf("%s %q stands nowhere: %+v", finding.Code, finding.Message, at)
			}
		}
		faulty := map[diag.Object]bool{}
		for _, finding := range found {
			if finding.Severity == diag.Error && finding.Object != nil {
				faulty[*finding.Object] = true
			}
		}
		for _, o := range files.Objects {
			if faulty[o.Ref()] && !o.Invalid {
				t.Errorf("%s has an error and counts as valid", o.Ref())
			}
			if at := o.AtUnion("spec", "rules", 0, "headers", 1, "none"); at.Line < 1 {
				t.Errorf("%s stands nowhere", o.Ref())
			}
			if o.Name == "" && !o.Invalid {
				t.Errorf("%s has no name and counts as valid", o.Ref())
			}
		}
	})
}
