package link

import (
	"cmp"
	"net/netip"
	"slices"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/meshc/meshc/catalog"
)

func wrapUint32(n uint32) *wrapperspb.UInt32Value { return wrapperspb.UInt32(n) }

// maxWeight keeps the sum over a locality of 65,536 endpoints within what Envoy takes.
const maxWeight = 1<<16 - 1

// target is an endpoint of one service port.
type target struct {
	at       netip.AddrPort
	locality catalog.Locality
	weight   uint32
	health   catalog.Health
}

// targets are the endpoints of a service port that may be dialled: meshed, of a
// known account, with a target port; of a service outside the mesh those without
// a sidecar. The second result are those that stay out.
func targets(svc *catalog.Service, port *catalog.ServicePort, c *planCluster) (in []target, out []catalog.Endpoint) {
	for _, e := range svc.Endpoints {
		number := targetPort(port, e)
		if number == 0 {
			number = c.port.TargetPort
		}
		fits := e.Meshed && slices.Contains(c.Accounts, e.Identity)
		if c.outside {
			fits = !e.Meshed
		}
		if !fits || number == 0 || !e.Address.IsValid() {
			out = append(out, e)
			continue
		}
		in = append(in, target{
			at:       netip.AddrPortFrom(e.Address.Unmap().WithZone(""), number),
			locality: e.Locality, weight: min(max(e.Weight, 1), maxWeight), health: e.Health,
		})
	}
	slices.SortFunc(in, func(a, b target) int {
		return cmp.Or(cmp.Compare(a.locality.Region, b.locality.Region), cmp.Compare(a.locality.Zone, b.locality.Zone),
			cmp.Compare(a.locality.SubZone, b.locality.SubZone), a.at.Compare(b.at))
	})
	return slices.CompactFunc(in, func(a, b target) bool { return a.at == b.at && a.locality == b.locality }), out
}

// targetPort is where an endpoint takes a service port; 0 when nobody knows.
func targetPort(port *catalog.ServicePort, e catalog.Endpoint) uint16 {
	if n, ok := e.Ports[port.Port]; ok {
		return n
	}
	return port.TargetPort
}

// assignment is the ClusterLoadAssignment of a cluster. Locality and its weight
// are always set: grpc clients drop or refuse localities that lack them.
func assignment(cluster string, in []target) *Resource {
	out := &endpoint.ClusterLoadAssignment{ClusterName: cluster}
	var group *endpoint.LocalityLbEndpoints
	for i, t := range in {
		if i == 0 || in[i-1].locality != t.locality {
			group = &endpoint.LocalityLbEndpoints{
				Locality:            &core.Locality{Region: t.locality.Region, Zone: t.locality.Zone, SubZone: t.locality.SubZone},
				LoadBalancingWeight: wrapUint32(0),
			}
			out.Endpoints = append(out.Endpoints, group)
		}
		group.LoadBalancingWeight.Value += t.weight
		group.LbEndpoints = append(group.LbEndpoints, lbEndpoint(t))
	}
	return NewResource(Endpoint, cluster, marshal(out))
}

var healths = map[catalog.Health]core.HealthStatus{
	catalog.Healthy:   core.HealthStatus_HEALTHY,
	catalog.Unhealthy: core.HealthStatus_UNHEALTHY,
	catalog.Draining:  core.HealthStatus_DRAINING,
}

func lbEndpoint(t target) *endpoint.LbEndpoint {
	health, known := healths[t.health]
	if !known {
		health = core.HealthStatus_UNHEALTHY
	}
	return &endpoint.LbEndpoint{
		HostIdentifier: &endpoint.LbEndpoint_Endpoint{Endpoint: &endpoint.Endpoint{
			Address: &core.Address{Address: &core.Address_SocketAddress{SocketAddress: &core.SocketAddress{
				Address:       t.at.Addr().String(),
				PortSpecifier: &core.SocketAddress_PortValue{PortValue: uint32(t.at.Port())},
			}}},
		}},
		HealthStatus:        health,
		LoadBalancingWeight: wrapUint32(t.weight),
	}
}
