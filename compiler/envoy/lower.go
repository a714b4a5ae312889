package envoy

import (
	"runtime"
	"slices"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/meshc/meshc/compiler/ir"
)

// Lower makes Envoy resources of a mesh. Equal meshes give equal plans. An
// error is a defect of the compiler: what a user can get wrong was found before.
func Lower(mesh *ir.Mesh) (*ir.Plan, error) {
	if err := checkExpressions(mesh); err != nil {
		return nil, err
	}
	l := newLowering(mesh)
	plan := &ir.Plan{}
	seen := l.see()
	l.outbound(seen, plan)
	l.inbound(plan)
	l.scopes(seen, plan)
	plan.Late = l.lateFacts(plan)
	if l.err != nil {
		return nil, l.err
	}
	if err := l.closed(plan); err != nil {
		return nil, err
	}
	settle(plan, l.store)
	return plan, nil
}

// lowering is the mesh with the indices that lowering asks, and the parts that
// many resources share.
type lowering struct {
	*store
	mesh   *ir.Mesh
	ports  []servicePort // every TCP port of every service, by PortID
	splits map[ir.ServiceID][]*ir.Split
	grants map[ir.Identity][]*ir.Grant // by destination
	shared shared
}

type servicePort struct {
	id      ir.PortID
	service *ir.Service
	port    *ir.Port
}

// shared is made once and used by every resource.
type shared struct {
	inbound, outbound     []*hcmv3.HttpFilter
	codec                 map[string]*anypb.Any
	sayWho                *listenerv3.Filter
	httpTLS               *corev3.TransportSocket
	listener              ir.Ref // 15003
	virtual, open, ranged ir.Ref // 15001
	extra, extraOpen      []ir.Ref
}

func newLowering(mesh *ir.Mesh) *lowering {
	l := &lowering{store: newStore(), mesh: mesh, splits: map[ir.ServiceID][]*ir.Split{}, grants: map[ir.Identity][]*ir.Grant{}}
	for i := range mesh.Services {
		svc := &mesh.Services[i]
		for j := range svc.Ports {
			if p := &svc.Ports[j]; p.Protocol != ir.UDP {
				l.ports = append(l.ports, servicePort{ir.PortID{Service: svc.ID, Port: p.Number}, svc, p})
			}
		}
	}
	slices.SortFunc(l.ports, func(a, b servicePort) int { return a.id.Compare(b.id) })
	for i := range mesh.Splits {
		l.splits[mesh.Splits[i].Root] = append(l.splits[mesh.Splits[i].Root], &mesh.Splits[i])
	}
	for i := range mesh.Grants {
		l.grants[mesh.Grants[i].Destination] = append(l.grants[mesh.Grants[i].Destination], &mesh.Grants[i])
	}
	l.share()
	return l
}

func (l *lowering) share() {
	l.shared = shared{
		inbound:  l.inboundFilters(),
		outbound: l.outboundFilters(),
		codec:    l.sameCodec(),
		sayWho:   l.sayWho(),
		httpTLS:  l.serverTLS(tlsContext(member(l.mesh.Settings.TrustDomain), "h2", "http/1.1")),
		ranged:   ir.NoRef,
	}
	l.shared.listener = l.inboundListener()
	l.shared.virtual = l.virtual()
	l.shared.extra = []ir.Ref{l.inboundCluster(), l.deniedCluster()}
	if slices.ContainsFunc(l.identities(), l.egress) {
		l.shared.open, l.shared.ranged = l.virtualOpen()
		l.shared.extraOpen = append(slices.Clone(l.shared.extra), l.passthroughCluster())
	}
}

// portAt finds a port's index.
func (l *lowering) portAt(id ir.PortID) (int32, bool) {
	i, ok := slices.BinarySearchFunc(l.ports, id, func(p servicePort, id ir.PortID) int { return p.id.Compare(id) })
	return int32(i), ok
}

// grantsTo are the grants of a destination that open one of the ports.
func (l *lowering) grantsTo(id ir.Identity, ports []ir.PortID) []*ir.Grant {
	var out []*ir.Grant
	for _, g := range l.grants[id] {
		if slices.ContainsFunc(ports, func(p ir.PortID) bool { return slices.Contains(g.Ports, p) }) {
			out = append(out, g)
		}
	}
	return out
}

// outbound lowers the cluster of every service port, and the listener of those
// that somebody may call.
func (l *lowering) outbound(seen sight, plan *ir.Plan) {
	called := seen.called(len(l.ports))
	clusters, listeners := make([]ir.Cluster, len(l.ports)), make([]ir.OutboundPort, len(l.ports))
	each(len(l.ports), func(i int) {
		p := l.ports[i]
		eds, direct := l.service(p.service, p.port)
		clusters[i] = ir.Cluster{Port: p.id, Resource: eds, Accounts: p.service.Accounts}
		if called[i] {
			listeners[i] = l.outboundPort(p.service, p.port, direct)
		}
	})
	for i := range listeners {
		if called[i] {
			plan.Outbound = append(plan.Outbound, listeners[i])
		}
	}
	plan.Clusters = append(clusters, l.missingClusters()...)
	slices.SortFunc(plan.Clusters, func(a, b ir.Cluster) int { return a.Port.Compare(b.Port) })
}

// missingClusters stand for the backends that do not exist.
func (l *lowering) missingClusters() []ir.Cluster {
	var out []ir.Cluster
	have := map[ir.PortID]bool{}
	for _, p := range l.ports {
		for _, b := range l.branches(p.service, p.port) {
			for _, sh := range b.shares {
				if _, known := l.portAt(sh.port); known || have[sh.port] {
					continue
				}
				have[sh.port] = true
				out = append(out, ir.Cluster{Port: sh.port, Resource: l.missing(sh.port, p.port)})
			}
		}
	}
	return out
}

// inbound lowers every role.
func (l *lowering) inbound(plan *ir.Plan) {
	plan.Roles = make([]ir.RolePlan, len(l.mesh.Roles))
	each(len(l.mesh.Roles), func(i int) {
		role := &l.mesh.Roles[i]
		out := ir.RolePlan{Identity: role.Identity, Services: role.Services, Listener: l.shared.listener}
		for j := range role.Ports {
			if role.Ports[j].Protocol != ir.UDP {
				out.Ports = append(out.Ports, l.inboundPort(role, &role.Ports[j]))
			}
		}
		plan.Roles[i] = out
	})
}

// each runs f on the cores there are; f writes to its own place only.
func each(n int, f func(int)) {
	workers := min(runtime.GOMAXPROCS(0), n)
	var g errgroup.Group
	for w := range workers {
		g.Go(func() error {
			for i := w; i < n; i += workers {
				f(i)
			}
			return nil
		})
	}
	_ = g.Wait()
}
