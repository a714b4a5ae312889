package bundle

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
)

// sample is a mesh of n services, each called by the next, with a plan of the
// shape and about the size that lowering gives. The bodies are no Envoy
// messages: bundles do not look into them.
func sample(n int) Input {
	m := &ir.Mesh{Settings: ir.Settings{Name: "sample", TrustDomain: "cluster.local", Mode: ir.Strict}, Origins: map[string]ir.Origin{}}
	p := &ir.Plan{}
	add := func(t ir.ResourceType, name string, size int) ir.Ref {
		p.Resources = append(p.Resources, ir.Resource{Type: t, Name: name, Body: []byte(strings.Repeat(name+" ", size/len(name)+1))})
		return ir.Ref(len(p.Resources) - 1)
	}
	inbound, outbound := add(ir.TypeListener, "inbound", 900), add(ir.TypeListener, "outbound", 900)
	extra := []ir.Ref{add(ir.TypeCluster, "inbound", 300), add(ir.TypeCluster, "passthrough", 300)}
	id := func(i int) ir.Identity {
		return ir.NewIdentity("cluster.local", "shop", fmt.Sprintf("svc-%05d", i%n))
	}
	for i := range n {
		service := ir.ServiceID{Namespace: "shop", Name: fmt.Sprintf("svc-%05d", i)}
		port := ir.PortID{Service: service, Port: 80}
		m.Identities = append(m.Identities, id(i))
		m.Services = append(m.Services, ir.Service{ID: service, Accounts: []ir.Identity{id(i)}, Ports: []ir.Port{{Number: 80, Name: "http", Protocol: ir.HTTP, TargetPort: 8080}}})
		m.Roles = append(m.Roles, ir.Role{Identity: id(i), Services: []ir.ServiceID{service}, Ports: []ir.InboundPort{{TargetPort: 8080, Protocol: ir.HTTP, Services: []ir.PortID{port}}}})
		grant := ir.Grant{Name: "TrafficTarget/" + service.String() + "#rule0", Destination: id(i), Ports: []ir.PortID{port}}
		for c := 1; c <= 5; c++ {
			grant.Sources = append(grant.Sources, id(i+c))
		}
		for _, match := range []string{"hdr", "read", "write"} {
			grant.HTTP = append(grant.HTTP, ir.Match{Name: "HTTPRouteGroup/" + service.String() + "#" + match, Path: "^(?:/api/v1/.*).*$", Methods: []string{"GET", "HEAD"}})
			m.Origins[grant.HTTP[len(grant.HTTP)-1].Name] = ir.Origin{Kind: "HTTPRouteGroup", Namespace: "shop", Name: service.Name, File: "mesh.yaml", Line: i + 1, Col: 5}
		}
		m.Grants = append(m.Grants, grant)
		m.Origins[grant.Name] = ir.Origin{Kind: "TrafficTarget", Namespace: "shop", Name: service.Name, File: "mesh.yaml", Line: i + 1, Col: 5}

		p.Outbound = append(p.Outbound, ir.OutboundPort{Port: port, Protocol: ir.HTTP, Listener: add(ir.TypeListener, "outbound/"+port.String(), 1800),
			Route: add(ir.TypeRoute, "outbound/"+port.String(), 300), Extension: ir.NoRef, Direct: ir.NoRef, Clusters: []ir.PortID{port}})
		p.Clusters = append(p.Clusters, ir.Cluster{Port: port, Resource: add(ir.TypeCluster, port.String(), 700), Accounts: []ir.Identity{id(i)}})
		scope := ir.Scope{Virtual: outbound, Ranged: ir.NoRef, Extra: extra}
		for c := max(0, i-5); c < i; c++ {
			scope.Outbound = append(scope.Outbound, ir.PortID{Service: m.Services[c].ID, Port: 80})
		}
		p.Scopes = append(p.Scopes, scope)
		p.Identities = append(p.Identities, ir.IdentityPlan{Identity: id(i), Scope: i})
		p.Roles = append(p.Roles, ir.RolePlan{Identity: id(i), Services: []ir.ServiceID{service}, Listener: inbound, Ports: []ir.InboundPlan{{
			TargetPort: 8080, Protocol: ir.HTTP, Services: []ir.PortID{port},
			Chains: []ir.Ref{add(ir.TypeChain, "inbound/"+port.String(), 2500)}, Route: add(ir.TypeRoute, "inbound/"+port.String(), 3000), Extension: ir.NoRef}}})
		for _, kind := range []string{"address", "endpoints"} {
			p.Late = append(p.Late, ir.LateFact{Kind: kind, About: port.String(), Drift: "closes"})
		}
	}
	return Input{Mesh: m, Plan: p}
}

func packed(t testing.TB, in Input) *Bundle {
	t.Helper()
	b, err := Pack(in)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// reseal makes a manifest that fits the files, as a hostile author would.
func reseal(t testing.TB, files map[string][]byte, change func(map[string]any)) {
	t.Helper()
	var m Manifest
	if err := json.Unmarshal(files[ManifestFile], &m); err != nil {
		t.Fatal(err)
	}
	for i, f := range m.Files {
		m.Files[i] = NewFile(f.Path, files[f.Path])
	}
	m.PolicyDigest = policyDigest(m.Format, m.Files)
	m.BundleDigest = zeroDigest
	var fields map[string]any
	raw, _ := json.Marshal(m)
	if err := json.Unmarshal(raw, &fields); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(fields)
	}
	raw, _ = json.Marshal(fields)
	files[ManifestFile] = []byte(strings.ReplaceAll(string(raw), zeroDigest, digest(raw)))
}

func codes(l diag.List) string {
	var out []string
	for _, f := range l {
		out = append(out, string(f.Code))
	}
	return strings.Join(out, " ")
}

// tiny is a sample whose bytes are few, for tests that try each of them.
func tiny() Input {
	in := sample(2)
	for i, r := range in.Plan.Resources {
		in.Plan.Resources[i].Body = r.Body[:4]
	}
	in.Mesh.Grants, in.Mesh.Origins = nil, nil
	return in
}
