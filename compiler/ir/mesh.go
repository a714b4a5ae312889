// Package ir is the meaning of a mesh's policy as plain data: identities,
// services, roles, grants, splits and settings, all names resolved. resolve
// makes it; every later stage reads it. Values hold no positions (these lie in
// Origins, by name), so equal policies are equal bytes. It knows neither the
// files the policy came from nor Envoy.
package ir

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"time"
)

// Mode says what a destination does with a request that no grant covers.
type Mode string

// The modes of SEMANTICS row 10.
const (
	Strict     Mode = "strict"
	Permissive Mode = "permissive"
	Audit      Mode = "audit"
)

// Compat picks the dialect of SMI.
type Compat string

// The dialects; only the rows of SEMANTICS that name them differ.
const (
	CompatSMI   Compat = "smi"
	CompatOSM   Compat = "osm"
	CompatMaesh Compat = "maesh"
)

// Protocol is how a service port is carried.
type Protocol string

// The protocols. HTTP2 and GRPC are carried like HTTP; TLS is TCP inside mTLS.
const (
	HTTP           Protocol = "http"
	HTTP2          Protocol = "http2"
	GRPC           Protocol = "grpc"
	TCP            Protocol = "tcp"
	TCPServerFirst Protocol = "tcp-server-first"
	TLS            Protocol = "tls"
	UDP            Protocol = "udp"
)

// IsHTTP tells whether requests are judged one by one.
func (p Protocol) IsHTTP() bool { return p == HTTP || p == HTTP2 || p == GRPC }

// Mesh is the whole policy. Every slice is sorted by its element's name.
type Mesh struct {
	Settings   Settings    `json:"settings"`
	Namespaces []Namespace `json:"namespaces"`
	Identities []Identity  `json:"identities"` // every account known in the mesh
	Services   []Service   `json:"services"`
	Roles      []Role      `json:"roles"`
	Grants     []Grant     `json:"grants"`
	Splits     []Split     `json:"splits"`

	// Origins leads from a name (Grant.Name, Split.Name, Match.Name, "Service/NS/NAME", ...)
	// back to its source. It is not part of the policy digest.
	Origins map[string]Origin `json:"-"`
}

// Settings are the mesh-wide settings of meshc.yaml that reach proxies.
type Settings struct {
	Name              string         `json:"name"`
	TrustDomain       string         `json:"trustDomain"`
	ClusterDomain     string         `json:"clusterDomain"`
	Mode              Mode           `json:"mode"`
	EgressAllowed     bool           `json:"egressAllowed"`
	PlaintextAllowed  bool           `json:"plaintextAllowed"`
	Compat            Compat         `json:"compat"`
	DenialBody        bool           `json:"denialBody"`
	DenialHeader      bool           `json:"denialHeader"`
	TCPDrain          time.Duration  `json:"tcpDrain"`          // nanoseconds
	MaxStreamDuration time.Duration  `json:"maxStreamDuration"` // nanoseconds; 0: none
	ServiceRanges     []netip.Prefix `json:"serviceRanges,omitempty"`
	PodRanges         []netip.Prefix `json:"podRanges,omitempty"`
	Certificates      Lifetimes      `json:"certificates,omitzero"`
}

// Lifetimes are those of certificates in nanoseconds; 0: the control plane's own.
type Lifetimes struct {
	Leaf         time.Duration `json:"leaf,omitempty"`
	Intermediate time.Duration `json:"intermediate,omitempty"`
	// Grace is how long past its end a token counts while the API server that could
	// renew it is away; 0: half a leaf's life, negative: not at all.
	Grace time.Duration `json:"grace,omitempty"`
}

// Namespace holds the settings that are in force in one namespace. Namespaces
// that nothing names are absent and follow Settings.
type Namespace struct {
	Name             string `json:"name"`
	Mode             Mode   `json:"mode"`             // of its workloads as destinations
	PlaintextAllowed bool   `json:"plaintextAllowed"` // of its workloads as destinations
	EgressAllowed    bool   `json:"egressAllowed"`    // of its workloads as sources
}

// Namespace finds the settings in force in a namespace.
func (m *Mesh) Namespace(name string) Namespace {
	i, ok := slices.BinarySearchFunc(m.Namespaces, name, func(n Namespace, s string) int { return cmp.Compare(n.Name, s) })
	if ok {
		return m.Namespaces[i]
	}
	return Namespace{Name: name, Mode: m.Settings.Mode, PlaintextAllowed: m.Settings.PlaintextAllowed, EgressAllowed: m.Settings.EgressAllowed}
}

// ServiceID names a service.
type ServiceID struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// String is namespace/name.
func (s ServiceID) String() string { return s.Namespace + "/" + s.Name }

// Compare orders by namespace, then name.
func (s ServiceID) Compare(o ServiceID) int {
	return cmp.Or(cmp.Compare(s.Namespace, o.Namespace), cmp.Compare(s.Name, o.Name))
}

// PortID names a port of a service by its number.
type PortID struct {
	Service ServiceID `json:"service"`
	Port    uint16    `json:"port"`
}

// String is namespace/name:port.
func (p PortID) String() string { return p.Service.String() + ":" + strconv.Itoa(int(p.Port)) }

// Compare orders by service, then port.
func (p PortID) Compare(o PortID) int {
	return cmp.Or(p.Service.Compare(o.Service), cmp.Compare(p.Port, o.Port))
}

// Service is a service as policy knows it. Addresses and endpoints bind late.
type Service struct {
	ID       ServiceID  `json:"id"`
	Headless bool       `json:"headless,omitempty"`
	Accounts []Identity `json:"accounts"`          // the known set of accounts of the meshed workloads behind it
	Outside  bool       `json:"outside,omitempty"` // none of its known workloads is meshed: egress rules hold, no mTLS
	Ports    []Port     `json:"ports"`
}

// Port is a port of a service. UDP ports are kept so that verdicts can name them.
type Port struct {
	Number     uint16   `json:"number"`
	Name       string   `json:"name,omitempty"`
	Protocol   Protocol `json:"protocol"`
	Plaintext  bool     `json:"plaintext,omitempty"`  // clients without a mesh certificate may reach it
	TargetPort uint16   `json:"targetPort,omitempty"` // 0: a named target port whose number is not known
	TargetName string   `json:"targetName,omitempty"` // the target port as named in the Service, if it is a name
}

// Service finds a service.
func (m *Mesh) Service(id ServiceID) (*Service, bool) {
	i, ok := slices.BinarySearchFunc(m.Services, id, func(s Service, id ServiceID) int { return s.ID.Compare(id) })
	if !ok {
		return nil, false
	}
	return &m.Services[i], true
}

// Port finds a port by number.
func (s *Service) Port(number uint16) (*Port, bool) {
	for i := range s.Ports {
		if s.Ports[i].Number == number {
			return &s.Ports[i], true
		}
	}
	return nil, false
}

// Role is what a workload is to the mesh: its identity and the sorted services
// it backs. Inbound configuration is compiled per role. A client-only workload
// has a role without services.
type Role struct {
	Identity Identity      `json:"identity"`
	Services []ServiceID   `json:"services"`
	Ports    []InboundPort `json:"ports"`
}

// InboundPort is a target port of a role: every service port that leads to it.
// All have the same protocol class (resolve refuses others).
type InboundPort struct {
	TargetPort uint16   `json:"targetPort,omitempty"` // 0: not known until link
	TargetName string   `json:"targetName,omitempty"`
	Protocol   Protocol `json:"protocol"`
	Plaintext  bool     `json:"plaintext,omitempty"`
	Services   []PortID `json:"services"`
}

// Name is "NS/SA|svc-ns/svc|..." and names the role in bundles and catalogs.
func (r Role) Name() string { return RoleName(r.Identity, r.Services) }

// RoleName is the name of the role of an identity that backs the (sorted) services.
func RoleName(id Identity, services []ServiceID) string {
	name := id.Short()
	for _, s := range services {
		name += "|" + s.String()
	}
	return name
}

// Grant is one allowed way to reach an identity: one rule set of one
// TrafficTarget, or one BreakGlass, after resolution. Layers are ANDed, entries inside a layer ORed.
type Grant struct {
	Name        string     `json:"name"` // TrafficTarget/NS/NAME#ruleN, BreakGlass/NS/NAME
	Sources     []Identity `json:"sources"`
	Destination Identity   `json:"destination"`
	// Ports are the service ports it opens, with every service port that shares
	// a target port with one that was named; resolve has already left out the
	// ports that its layers cannot pass (non-HTTP ports of a grant with HTTP matches).
	Ports []PortID `json:"ports"`
	// HTTP are the requests it allows on HTTP ports; empty means any request.
	HTTP []Match `json:"http,omitempty"`
	// Until is when it ends, of one that somebody opened for a while (BreakGlass); zero:
	// it does not end by itself.
	Until time.Time `json:"until,omitzero"`
}

// Match is one request class of a route group. All its parts must hold.
type Match struct {
	Name string `json:"name"` // HTTPRouteGroup/NS/NAME#MATCH
	// Path is a RE2 expression that must match the whole normalised path without
	// query (resolve has already added anchoring and the trailing .* of SEMANTICS
	// row 20). Empty: any path.
	Path    string        `json:"path,omitempty"`
	Methods []string      `json:"methods,omitempty"` // sorted; empty: any
	Headers []HeaderMatch `json:"headers,omitempty"` // sorted by name
}

// HeaderMatch is a RE2 expression over one line of a header. The name is lower
// case; "host" has become ":authority".
type HeaderMatch struct {
	Name  string `json:"name"`
	Regex string `json:"regex"` // searched for anywhere in the line unless Full
	Full  bool   `json:"full,omitempty"`
}

// Split distributes the calls to a root service.
type Split struct {
	Name     string    `json:"name"` // TrafficSplit/NS/NAME
	Root     ServiceID `json:"root"`
	Matches  []Match   `json:"matches,omitempty"` // OR; empty: every request
	Backends []Backend `json:"backends"`          // in order of service name; weight 0 ones are kept
}

// Backend is a leaf of a split.
type Backend struct {
	Service ServiceID `json:"service"`
	Weight  uint32    `json:"weight"`            // milli-units in v1alpha1, divided by the common divisor; only ratios matter
	Ports   []uint16  `json:"ports"`             // the root's port numbers this backend serves too
	Missing bool      `json:"missing,omitempty"` // no such service is known: its share gets 503
}

// Origin is where a named thing was written.
type Origin struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	File      string `json:"file"`
	Line      int    `json:"line"`
	Col       int    `json:"column,omitempty"`
}
