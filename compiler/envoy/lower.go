package envoy

import (
	"iter"
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
func Lower(mesh *ir.Mesh) (*ir.Plan, error) { return NewSession().Lower(mesh) }

// lowering is the mesh with the indices that lowering asks, and the parts that
// many resources share.
type lowering struct {
	*store
	mesh   *ir.Mesh
	ports  []servicePort // every TCP port of every service, by PortID
	splits map[ir.ServiceID][]*ir.Split
	grants map[ir.Identity][]*ir.Grant // by destination
	roots  []root                      // service ports with splits
	shared shared
	sizes  *sizes
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
	l := &lowering{store: newStore(nil), sizes: &sizes{good: map[string]bool{}}, mesh: mesh, splits: map[ir.ServiceID][]*ir.Split{}, grants: make(map[ir.Identity][]*ir.Grant, len(mesh.Grants)), ports: make([]servicePort, 0, len(mesh.Services))}
	for i := range mesh.Services {
		svc := &mesh.Services[i]
		for j := range svc.Ports {
			if p := &svc.Ports[j]; p.Protocol != ir.UDP {
				l.ports = append(l.ports, servicePort{ir.PortID{Service: svc.ID, Port: p.Number}, svc, p})
			}
		}
	}
	if byID := func(a, b servicePort) int { return a.id.Compare(b.id) }; !slices.IsSortedFunc(l.ports, byID) {
		slices.SortFunc(l.ports, byID)
	}
	for i := range mesh.Splits {
		l.splits[mesh.Splits[i].Root] = append(l.splits[mesh.Splits[i].Root], &mesh.Splits[i])
	}
	all := make([]*ir.Grant, len(mesh.Grants)) // most accounts have one
	for i := range mesh.Grants {
		g := &mesh.Grants[i]
		if l.grants[g.Destination] == nil {
			all[i] = g
			l.grants[g.Destination] = all[i : i+1 : i+1]
		} else {
			l.grants[g.Destination] = append(l.grants[g.Destination], g)
		}
	}
	l.readRoots()
	return l
}

// share makes what many resources use; leaves tells that some identity may leave
// the mesh.
func (l *lowering) share(leaves bool) {
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
	if leaves {
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
func (l *lowering) grantsTo(id ir.Identity, ports []ir.PortID) iter.Seq[*ir.Grant] {
	return func(yield func(*ir.Grant) bool) {
		for _, g := range l.grants[id] {
			if slices.ContainsFunc(ports, func(p ir.PortID) bool { return slices.Contains(g.Ports, p) }) && !yield(g) {
				return
			}
		}
	}
}

// unit is a lowering with a store of its own.
func (l *lowering) unit() *lowering {
	own := *l
	own.store = newStore(l.store)
	return &own
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
