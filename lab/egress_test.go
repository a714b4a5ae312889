package lab

import (
	"testing"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
)

// TestEgressLive: where egress is allowed a meshed pod reaches hosts outside of
// the mesh and services without proxies, and nothing else.
func TestEgressLive(t *testing.T) {
	tree := tree(t)
	files := map[string][]byte{"meshc.yaml": []byte("apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata: {name: shop}\nspec: {egress: allow, sources: [./shop.yaml]}\n")}
	for _, f := range tree.Files {
		files[f.Path] = f.Data
	}
	l := up(t, Options{Tree: source.FromMap(files)})
	client := ir.NewIdentity("cluster.local", "shop", "client")
	get := &ir.HTTPRequest{Method: "GET", Path: "/"}
	port := func(name string, number uint16) ir.PortID {
		return ir.PortID{Service: ir.ServiceID{Namespace: "shop", Name: name}, Port: number}
	}
	for _, c := range []struct {
		what string
		ask  ir.Request
		want ir.Outcome
	}{
		{"a host outside", ir.Request{From: client, External: "example.com:80", HTTP: get}, ir.Allow},
		{"another port of it, by TCP", ir.Request{From: client, External: "example.com:8080"}, ir.Allow},
		{"an address outside", ir.Request{From: client, External: "192.0.2.7:80", HTTP: get}, ir.Allow},
		{"a service without proxies", ir.Request{From: client, To: port("old", 80), HTTP: get}, ir.Allow},
		{"a meshed service without a grant", ir.Request{From: client, To: port("web-v1", 80), HTTP: &ir.HTTPRequest{Method: "DELETE", Path: "/"}}, ir.Deny},
	} {
		observed, err := l.Request(c.ask, 1)
		if err != nil {
			t.Fatal(err)
		}
		if got, why := observed.Outcome(); got != c.want {
			t.Errorf("%s: want %s, the Envoys say %s %s: %+v", c.what, c.want, got, why, observed.Results[0])
		}
		if v := ir.Decide(l.Compiled().Mesh, c.ask); v.Outcome != c.want {
			t.Errorf("%s: want %s, the IR says %s: %s", c.what, c.want, v.Outcome, v.Reason)
		}
	}
}
