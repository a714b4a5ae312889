package contract_test

import (
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler/contract"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/diff"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/resolve"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
)

// relocked is the mesh once the policy is locked again with what an application
// shows; other repositories stay as they are. It is the truth about a change.
func relocked(t *testing.T, app contract.Application) (*ir.Mesh, bool) {
	t.Helper()
	known, _ := resolve.ParseLock("meshc.lock", []byte(locked))
	facts := resolve.FactsOf(app.Mesh, app.Inventory)
	for _, f := range known.Facts {
		if f.Namespace != "store" && f.Name != "store" {
			facts = append(facts, f)
		}
	}
	files, _ := syntax.Parse(source.FromMap(policy))
	mesh, _, _, found := resolve.Mesh(files, ir.Known{Facts: facts}, resolve.Options{})
	return mesh, !found.HasErrors()
}

// What a check says of a change is what becomes of the mesh when the policy is
// locked again: what narrows or does not compile any more is an error, what widens
// at least a warning. Every edit is made alone and with every other one.
func TestACheckAgreesWithTheMeshThatComes(t *testing.T) {
	edits := []struct{ old, new string }{
		{"replicas: 2", "replicas: 3"},
		{"- {name: http, port: 80, targetPort: 8080}", "- {name: tcp, port: 80, targetPort: 8080}"},
		{"[{appProtocol: tcp, port: 5432}]", "[{appProtocol: tcp, port: 5432}, {name: http, port: 9187}]"},
		{"appProtocol: tcp, port: 5432", "appProtocol: tcp, port: 5433"},
		{"serviceAccountName: db", "serviceAccountName: sql"},
		{"selector: {app: db}\n  ports", "selector: {app: sql}\n  ports"},
		{"  - {name: http-alt,", "  - {name: http-admin, port: 9000}\n  - {name: http-alt,"},
		{"- {name: http-alt, port: 81, targetPort: 8080}", "- {name: http-alt, port: 81, targetPort: 8081}"},
		{"$", debug},
		{"$", strings.NewReplacer("serviceAccountName: debug", "serviceAccountName: db", "{name: debug", "{name: trace").Replace(debug)},
		{"$", "---\napiVersion: v1\nkind: Service\nmetadata: {name: more, namespace: store}\nspec: {selector: {app: v1}, ports: [{name: http, port: 8000, targetPort: 8080}]}\n"},
		{"labels: {app: db}", "labels: {app: db, meshc.dev/inject: disabled}"},
	}
	before, ok := relocked(t, shown(t, application))
	if !ok {
		t.Fatal("the application as it was locked does not compile")
	}
	list := reread(t, contracts(t, policy, locked))
	silent, loud := 0, 0
	for bits := range 1 << len(edits) {
		if bitCount(bits) > 2 { // each alone, and each with each
			continue
		}
		text := application
		for i, e := range edits {
			if bits&(1<<i) != 0 && (e.old == "$" || strings.Contains(text, e.old)) {
				text = edited(t, text, e.old, e.new)
			}
		}
		app := shown(t, text)
		found := contract.Check(list, app)
		after, whole := relocked(t, app)
		changes := diff.Meshes(before, after)
		worst, any := found.Max()
		if (!whole || changes.Narrows()) && (!any || worst != diag.Error) {
			t.Errorf("%012b breaks the mesh (compiles: %v), and the check says %v: %v", bits, whole, codes(found), changes)
		}
		if changes.Widens() && (!any || worst < diag.Warning) {
			t.Errorf("%012b widens the mesh, and the check says %v: %v", bits, codes(found), changes)
		}
		if any && worst >= diag.Warning {
			loud++
		} else {
			silent++
		}
	}
	if silent < 3 || loud < 50 {
		t.Errorf("%d changes passed and %d did not: the edits are not what they were", silent, loud)
	}
}

func codes(l diag.List) (out []diag.Code) {
	for _, f := range l {
		out = append(out, f.Code)
	}
	return out
}

func bitCount(n int) (count int) {
	for ; n > 0; n &= n - 1 {
		count++
	}
	return count
}
