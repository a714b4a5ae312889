package verify

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/meshc/meshc/compiler/ir"
)

// The placeholder addresses: service ports, roles, workloads outside the mesh,
// and any host of the outside world.
var (
	baseVIP     = netip.MustParseAddr("240.0.0.0")
	baseRole    = netip.MustParseAddr("250.0.0.0")
	baseOutside = netip.MustParseAddr("252.0.0.0")
	elsewhere   = netip.MustParseAddr("192.0.2.1")
	meshRange   = netip.MustParsePrefix("240.0.0.0/4")
)

func placeholder(base netip.Addr, n int) netip.Addr {
	b := base.As4()
	binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(b[:])+uint32(n)+1)
	return netip.AddrFrom4(b)
}

func placed(base, addr netip.Addr) int {
	a, b := addr.As4(), base.As4()
	return int(binary.BigEndian.Uint32(a[:])-binary.BigEndian.Uint32(b[:])) - 1
}

// Endpoints, At and ServiceOf are the network of a plan.
func (m *Mesh) Endpoints(name string) []netip.AddrPort {
	if i, ok := m.find.clusters(name); ok {
		return m.endpoints(i)
	}
	return nil
}

// At is the workload that a placeholder stands for. One that cannot be read is
// a workload whose proxy has no listener: a call to it is an error.
func (m *Mesh) At(addr netip.Addr) *Workload {
	w, err := m.workload(addr)
	if err != nil {
		return &Workload{Proxy: &Proxy{}}
	}
	return w
}

// ServiceOf leads from a cluster's name to its service port.
func (m *Mesh) ServiceOf(cluster string) (ir.PortID, bool) {
	i, ok := m.find.clusters(cluster)
	if !ok {
		return ir.PortID{}, false
	}
	return m.plan.Clusters[i].Port, true
}

func (m *Mesh) workload(addr netip.Addr) (*Workload, error) {
	if !addr.Is4() || !meshRange.Contains(addr) {
		return nil, nil
	}
	if i := placed(baseRole, addr); i >= 0 && i < len(m.plan.Roles) {
		return m.role(i)
	}
	if i := placed(baseOutside, addr); i >= 0 && i < len(m.plan.Clusters) {
		return &Workload{}, nil
	}
	return nil, nil
}

// endpoints are the roles that back a service port, as link would fill them in:
// of the accounts the plan names, and only where they serve the port. A cluster
// without TLS and without accounts is that of workloads outside the mesh.
func (m *Mesh) endpoints(cluster int) []netip.AddrPort {
	c := &m.plan.Clusters[cluster]
	var out []netip.AddrPort
	for _, i := range m.backing(c) {
		for j, p := range m.plan.Roles[i].Ports {
			if slices.Contains(p.Services, c.Port) {
				out = append(out, netip.AddrPortFrom(placeholder(baseRole, i), targetPort(p, j)))
			}
		}
	}
	if len(c.Accounts) == 0 {
		if decoded, err := m.parts.cluster(c.Resource); err == nil && decoded.tls == nil {
			out = append(out, netip.AddrPortFrom(placeholder(baseOutside, cluster), c.Port.Port))
		}
	}
	return out
}

// backing are the roles of a cluster's accounts, in order.
func (m *Mesh) backing(c *ir.Cluster) []int {
	var out []int
	for _, id := range c.Accounts {
		out = append(out, m.find.roles(id)...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func targetPort(p ir.InboundPlan, index int) uint16 {
	if p.TargetPort != 0 {
		return p.TargetPort
	}
	return uint16(20000 + index)
}

// world is a plan's network with one host outside of it.
type world struct {
	*Mesh
	host netip.Addr
}

func (w world) At(addr netip.Addr) *Workload {
	if addr == w.host {
		return &Workload{}
	}
	return w.Mesh.At(addr)
}
