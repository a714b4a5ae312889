package main

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/envoy"
	"github.com/meshc/meshc/compiler/ir"
)

// star is a mesh of services that the same clients may all call.
type star struct {
	services, clients int
	protocol          ir.Protocol
}

func (s star) service(i int) ir.ServiceID {
	return ir.ServiceID{Namespace: "bench", Name: fmt.Sprintf("service-%04d", i)}
}

func (s star) account(i int) ir.Identity {
	return ir.NewIdentity("cluster.local", "bench", s.service(i).Name)
}

func (s star) client(i int) ir.Identity {
	return ir.NewIdentity("cluster.local", "bench", fmt.Sprintf("client-%04d", i))
}

// bundle compiles the mesh from the IR on.
func (s star) bundle() (*bundle.Bundle, error) {
	m := &ir.Mesh{Settings: ir.Settings{Name: "bench", TrustDomain: "cluster.local", ClusterDomain: "cluster.local", Mode: ir.Strict, Compat: ir.CompatSMI}}
	var clients []ir.Identity
	for i := range s.clients {
		clients = append(clients, s.client(i))
	}
	m.Identities = append(m.Identities, clients...)
	for i := range s.services {
		port := ir.PortID{Service: s.service(i), Port: 80}
		m.Identities = append(m.Identities, s.account(i))
		m.Services = append(m.Services, ir.Service{ID: s.service(i), Accounts: []ir.Identity{s.account(i)},
			Ports: []ir.Port{{Number: 80, Protocol: s.protocol, TargetPort: 8080}}})
		m.Roles = append(m.Roles, ir.Role{Identity: s.account(i), Services: []ir.ServiceID{s.service(i)},
			Ports: []ir.InboundPort{{TargetPort: 8080, Protocol: s.protocol, Services: []ir.PortID{port}}}})
		m.Grants = append(m.Grants, ir.Grant{Name: fmt.Sprintf("TrafficTarget/bench/target-%04d#rule0", i),
			Destination: s.account(i), Ports: []ir.PortID{port}, Sources: clients})
	}
	slices.SortFunc(m.Roles, func(a, b ir.Role) int { return cmp.Compare(a.Name(), b.Name()) })
	plan, err := envoy.Lower(m)
	if err != nil {
		return nil, err
	}
	return bundle.Pack(bundle.Input{Mesh: m, Plan: plan})
}

// workload is the one that a client runs as.
func workload(id ir.Identity) string { return id.Short() + "-0" }

// moved is the snapshot with another endpoint behind the first service.
func moved(snap *catalog.Snapshot, i int) *catalog.Snapshot {
	next := *snap
	next.Services = slices.Clone(snap.Services)
	next.Services[0].Endpoints = slices.Clone(next.Services[0].Endpoints)
	next.Services[0].Endpoints[0].Address = netip.AddrFrom4([4]byte{12, 1, byte(i >> 8), byte(i)})
	return &next
}

func sortWorkloads(snap *catalog.Snapshot) {
	slices.SortFunc(snap.Workloads, func(a, b catalog.Workload) int { return cmp.Compare(a.Name, b.Name) })
}
