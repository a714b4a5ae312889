// Package catalog is what is known of a mesh at run time: services with their
// addresses and endpoints, workloads with their identities. Providers make
// Snapshots of it; readers swap one immutable Snapshot for the next. It knows
// nothing of Envoy and nothing of policy.
package catalog

import (
	"net/netip"

	"github.com/meshc/meshc/compiler/ir"
)

// Snapshot is one immutable state of the world, sorted by id and name.
type Snapshot struct {
	Services  []Service
	Workloads []Workload
	// TrustDomain is that of the mesh's own identities, empty where the provider
	// does not know it.
	TrustDomain string
	// ServiceRanges and PodRanges bound the mesh's addresses where the provider
	// knows them; known VIPs and endpoint addresses belong to the mesh anyway.
	ServiceRanges []netip.Prefix
	PodRanges     []netip.Prefix
	// Accounts are those that exist whether or not anything runs as them, and
	// Namespaces those that exist, as far as the provider knows.
	Accounts   []ir.Identity
	Namespaces []Namespace
}

// Namespace is a namespace with its labels of the mesh.
type Namespace struct {
	Name   string
	Labels map[string]string
}

// Service is a service as it runs.
type Service struct {
	ID        ir.ServiceID
	VIPs      []netip.Addr // IPv4 and IPv6; empty for a headless service
	Headless  bool
	Ports     []ServicePort
	Endpoints []Endpoint
	// Spread: calls go to all localities alike, not to the caller's own first.
	Spread bool
}

// ServicePort is a port of a running service.
type ServicePort struct {
	Port       uint16
	Name       string
	Protocol   ir.Protocol
	TargetPort uint16 // where endpoints do not say otherwise
}

// Endpoint is one address behind a service.
type Endpoint struct {
	Address  netip.Addr
	Ports    map[uint16]uint16 // service port to target port, where it differs from ServicePort
	Workload string            // Workload.Name
	Identity ir.Identity
	Meshed   bool
	Hostname string // NAME in NAME.SERVICE.NAMESPACE of a headless service
	Locality Locality
	Weight   uint32 // 0 means 1
	Health   Health
}

// Locality is where an endpoint is.
type Locality struct{ Region, Zone, SubZone string }

// Health of an endpoint.
type Health string

// The health states; the zero value is healthy.
const (
	Healthy   Health = ""
	Unhealthy Health = "unhealthy"
	Draining  Health = "draining"
)

// Workload is one running instance: a pod, a machine, a replica in a lab.
type Workload struct {
	Name      string // unique: NAMESPACE/NAME
	Identity  ir.Identity
	Services  []ir.ServiceID // that it backs, sorted: with Identity its role
	Addresses []netip.Addr
	Meshed    bool
	Locality  Locality
	// Explicit: nothing hands the machine's connections to its proxy; who dials is
	// to know the proxy's ports. nil: they are intercepted.
	Explicit *Explicit
}

// Explicit is how a machine is proxied whose connections nothing intercepts.
type Explicit struct {
	// Upstreams are where its proxy takes calls to services, by Bind.
	Upstreams []Upstream
	// LocalPorts leads from a target port to the port on 127.0.0.1 where the
	// application listens, where that is another.
	LocalPorts map[uint16]uint16
}

// Upstream is a loopback address and port that stands for a service port.
type Upstream struct {
	Service ir.ServiceID
	Port    uint16
	Bind    netip.AddrPort
}

// Provider gives snapshots. Changed is sent to (without blocking) after Snapshot
// would return something new. Err is why the newest state of the source could
// not be taken, nil when it was; the last good Snapshot stays.
type Provider interface {
	Snapshot() *Snapshot
	Changed() <-chan struct{}
	Err() error
}
