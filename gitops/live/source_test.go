package live_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/gitops/live"
)

// shelf has what is to be found at references, and counts who asks.
type shelf struct {
	mu    sync.Mutex
	has   map[string]*bundle.Bundle
	found map[string]diag.List
	asked int
}

func (s *shelf) open(_ context.Context, from live.Reference) (*bundle.Bundle, diag.List, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if b, found := s.has[from.String()], s.found[from.String()]; b != nil || found != nil {
		return b, found, nil
	}
	return nil, nil, errors.New("nobody answers")
}

func (s *shelf) put(at string, b *bundle.Bundle, found diag.List) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.has[at], s.found[at] = b, found
}

// built is a bundle of the town with other settings.
func built(t *testing.T, mesh, spec string, epoch int64) *bundle.Bundle {
	t.Helper()
	tree := source.FromMap(map[string][]byte{
		"town.yaml":       []byte(town[strings.Index(town, "\n---\n")+5:]),
		source.ConfigName: fmt.Appendf(nil, "apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata: {name: %s}\nspec: %s\n", mesh, spec),
	})
	r, found := compiler.Compile(tree, ir.Known{}, compiler.Options{NoRules: true})
	if r.Plan == nil {
		t.Fatal(found)
	}
	b, err := bundle.Pack(bundle.Input{Mesh: r.Mesh, Plan: r.Plan, Epoch: epoch})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A Mesh that names a bundle is served from it, and the cluster's objects say that they
// change nothing. What may not be served leaves what was served, and the Mesh says why.
func TestABundleInsteadOfTheClustersObjects(t *testing.T) {
	c := newCluster(t)
	c.apply(controlPlane + town)
	s := &shelf{has: map[string]*bundle.Bundle{}, found: map[string]diag.List{}}
	l := c.watch(live.Options{Namespace: "meshc-system", Open: s.open})
	c.report(l, "one")
	until(t, l, "the cluster's objects are served", func(m *ir.Mesh) bool { return m.Settings.Mode == ir.Strict && matches(m) == 1 })

	good := built(t, "town", "{mode: audit}", 7)
	s.put("oci://registry.example/town:v1", good, nil)
	mesh := func(spec string, notes ...string) string {
		return "apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata: {name: town, annotations: {" + strings.Join(notes, ",") + "}}\nspec: " + spec
	}
	c.apply(mesh("{bundle: {oci: 'registry.example/town:v1'}}"))
	until(t, l, "the bundle is served", func(m *ir.Mesh) bool { return m.Settings.Mode == ir.Audit })
	c.conditionOf(target, "Programmed", "an object says that it changes nothing", func(status, reason, _ string) bool {
		return status == "False" && reason == "BundleSource"
	})
	name := syntax.Name{Kind: "TrafficTarget", Namespace: "town", Name: "shoppers"}
	found := l.Try(compiler.Change{Path: "TrafficTarget/town/shoppers", Data: []byte(`{"apiVersion":"access.smi-spec.io/v1alpha4","kind":"TrafficTarget","metadata":{"name":"shoppers","namespace":"town"},"spec":{"destination":{"kind":"ServiceAccount","name":"cart"},"rules":[{"kind":"HTTPRouteGroup","name":"api"}],"sources":[{"kind":"ServiceAccount","name":"front","namespace":"town"}]}}`), Object: &name})
	if len(found) != 1 || found[0].Code != "MSH5001" || found[0].Severity != diag.Warning {
		t.Errorf("admission is told %v", found)
	}
	c.conditionOf(mesh("{}"), "Ready", "the Mesh says which policy is served", func(status, _, message string) bool {
		return status == "True" && strings.Contains(message, good.Manifest.PolicyDigest)
	})

	unsigned := diag.List{diag.New("MSH0410", diag.Span{File: "manifest.json"}, "nobody signed it")}
	for i, bad := range []struct {
		what, says string
		bundle     *bundle.Bundle
		found      diag.List
	}{
		{"nobody that is trusted signed it", "nobody signed it", built(t, "town", "{mode: permissive}", 8), unsigned},
		{"it is older", "epoch 6", built(t, "town", "{mode: permissive}", 6), nil},
		{"it is another mesh's", `the mesh "city"`, built(t, "city", "{mode: permissive}", 9), nil},
		{"it is of another trust domain", "trust domain", built(t, "town", "{mode: permissive, trustDomain: other.example}", 9), nil},
		{"nobody answers", "nobody answers", nil, nil},
	} {
		s.put("oci://registry.example/town:v1", bad.bundle, bad.found)
		asked := fmt.Sprintf("asked-%d", i)
		c.apply(mesh("{bundle: {oci: 'registry.example/town:v1'}}", "reconcile.fluxcd.io/requestedAt: "+asked))
		c.conditionOf(mesh("{}"), "Ready", bad.what, func(status, reason, message string) bool {
			return status == "False" && reason == "ReconciliationFailed" && strings.Contains(message, bad.says)
		})
		c.handled(mesh("{}"), asked)
		if b, _, _ := l.Fetch(t.Context()); b != nil && b.Mesh.Settings.Mode != ir.Audit {
			t.Errorf("%s, and it is served", bad.what)
		}
		if d := l.Shown(); d != good.Manifest.PolicyDigest {
			t.Errorf("%s, and in force is %s", bad.what, d)
		}
	}
	again := c.watch(live.Options{Namespace: "meshc-system", Open: s.open}) // begins while nobody answers
	s.put("oci://registry.example/town:v1", built(t, "town", "{mode: permissive}", 6), nil)
	c.apply(mesh("{bundle: {oci: 'registry.example/town:v1'}}", "reconcile.fluxcd.io/requestedAt: new"))
	c.handled(mesh("{}"), "new")
	if b, _, _ := again.Fetch(t.Context()); b != nil {
		t.Error("a replica that starts takes a bundle that is older than what was served")
	}

	held := "{suspend: true, bundle: {oci: 'registry.example/town:v1'}}"
	c.apply(mesh(held))
	c.until("it is suspended", func() error {
		if !l.Suspended() {
			return errNone
		}
		return nil
	})
	s.put("oci://registry.example/town:v1", built(t, "town", "{mode: permissive}", 9), nil)
	c.apply(mesh(held, "reconcile.fluxcd.io/requestedAt: meanwhile"))
	c.conditionOf(mesh("{}"), "Ready", "the Mesh says that it is suspended", func(status, reason, _ string) bool { return status == "True" && reason == "Suspended" })
	if d := l.Shown(); d != good.Manifest.PolicyDigest {
		t.Errorf("a suspended Mesh took %s", d)
	}
	c.apply(mesh("{bundle: {oci: 'registry.example/town:v1'}}", "reconcile.fluxcd.io/requestedAt: meanwhile"))
	until(t, l, "who is suspended no more looks at once", func(m *ir.Mesh) bool { return m.Settings.Mode == ir.Permissive })
	until(t, again, "every replica does", func(m *ir.Mesh) bool { return m.Settings.Mode == ir.Permissive })
	c.handled(mesh("{}"), "meanwhile")
	c.apply(mesh("{mode: strict}"))
	until(t, l, "the cluster's objects are back", func(m *ir.Mesh) bool { return m.Settings.Mode == ir.Strict })
	c.conditionOf(target, "Programmed", "and say so", func(status, _, _ string) bool { return status == "True" })
}

// handled waits until an object says that it was looked at for whom asked.
func (c cluster) handled(manifest, asked string) {
	c.t.Helper()
	c.until("it is said that "+asked+" was handled", func() error {
		status, _ := c.objectOf(manifest)["status"].(object)
		if status["lastHandledReconcileAt"] != asked {
			return fmt.Errorf("%v", status["lastHandledReconcileAt"])
		}
		return nil
	})
}
