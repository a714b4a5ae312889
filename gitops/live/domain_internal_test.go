package live

import (
	"testing"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// Proxies hold certificates of one trust domain: a Mesh that says another one changes
// nothing, not even what else it says, until it is put back; nor does a Mesh that is
// deleted or that a replica finds when it starts.
func TestTheTrustDomainStays(t *testing.T) {
	d := newDesk(t)
	d.root("cluster.local")
	town := syntax.Name{Kind: meshKind, Name: "town"}
	mesh := func(spec string) []edit {
		e := d.edits("apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata: {name: town}\nspec: " + spec)
		e[0].name = town
		return e
	}
	says := func(want ir.Mode, refused bool) {
		t.Helper()
		s := d.last.result.Mesh.Settings
		if s.TrustDomain != d.domain || s.Mode != want {
			t.Errorf("in force is %s of %q, want %s of %q", s.Mode, s.TrustDomain, want, d.domain)
		}
		if d.waiting[town] != refused {
			t.Errorf("refused: %v, want %v", d.waiting[town], refused)
		}
		if o := d.objects[town]; refused && (len(o.found) != 1 || o.found[0].Code != codeDomain || o.accepted == nil) {
			t.Errorf("it is told %v", o.found)
		}
	}
	d.last = d.apply(mesh("{mode: audit}")...)
	says(ir.Audit, false)
	d.last = d.apply(mesh("{mode: permissive, trustDomain: other.example}")...)
	says(ir.Audit, true)
	d.put(grant)
	says(ir.Audit, true)
	d.last = d.apply(mesh("{mode: permissive, trustDomain: cluster.local}")...)
	says(ir.Permissive, false)

	d = newDesk(t) // a replica that starts, and remembers nothing
	d.root("mine.example")
	d.objects[town].accepted = nil
	d.last = d.apply(mesh("{mode: audit, trustDomain: other.example}")...)
	says(ir.Audit, true)
	d.last = d.apply(edit{name: town, data: d.base})
	says(ir.Strict, false)
	d.last = d.apply(mesh("{mode: audit, trustDomain: mine.example}")...)
	says(ir.Audit, false)
}

// The definitions leave it to us which words a Mesh may say: one that we do not know
// changes nothing, and at the first start the strictest holds.
func TestAMeshWithAnUnknownWordIsRefused(t *testing.T) {
	d := newDesk(t)
	town := syntax.Name{Kind: meshKind, Name: "town"}
	for _, c := range []struct {
		spec string
		mode ir.Mode
	}{{"{mode: lenient}", ir.Strict}, {"{mode: audit}", ir.Audit}, {"{mode: permissiv}", ir.Audit}, {"{mode: audit, egress: maybe}", ir.Audit}, {"{mode: permissive, targets: [nginx]}", ir.Audit}} {
		e := d.edits("apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata: {name: town}\nspec: " + c.spec)
		e[0].name = town
		d.last = d.apply(e...)
		if s := d.last.result.Mesh.Settings; s.Mode != c.mode || s.EgressAllowed {
			t.Errorf("with %s in force is %+v", c.spec, s)
		}
		if good := c.spec == "{mode: audit}"; d.waiting[town] == good || !good && d.objects[town].found[0].Code != "MSH0301" {
			t.Errorf("%s is told %v", c.spec, d.objects[town].found)
		}
	}
}
