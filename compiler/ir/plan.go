package ir

// A Plan is what lowering makes of a mesh: Envoy resources as opaque bytes, and
// how link puts them together with what is known only at run time. It has no
// Envoy types, so that bundles can be read and served without compiling.

// ResourceType is the last part of a type URL's meaning, short.
type ResourceType string

// The xDS types a plan holds, and fragments that link embeds in listeners.
const (
	TypeListener  ResourceType = "listener"
	TypeRoute     ResourceType = "route"
	TypeCluster   ResourceType = "cluster"
	TypeExtension ResourceType = "extension"    // TypedExtensionConfig, served by ECDS
	TypeChain     ResourceType = "filter-chain" // a FilterChain fragment, not served by itself
)

// Ref points into Plan.Resources; -1 is none.
type Ref int

// NoRef is the absent reference.
const NoRef Ref = -1

// Resource is one serialised message. Body is deterministic protobuf, without Any.
type Resource struct {
	Type ResourceType
	Name string // xDS name; of a chain: its name
	Body []byte
}

// Plan is sorted throughout; equal meshes give equal plans.
type Plan struct {
	Resources []Resource `json:"-"` // by type, name, body; no two equal
	// Outbound is every service port that some identity may be given, by PortID.
	Outbound []OutboundPort `json:"outbound"`
	// Clusters is every service port's cluster, by PortID.
	Clusters []Cluster `json:"clusters"`
	Scopes   []Scope   `json:"scopes"`
	// Identities leads from an identity to its scope, by identity.
	Identities []IdentityPlan `json:"identities"`
	Roles      []RolePlan     `json:"roles"`
	Late       []LateFact     `json:"late"`
}

// OutboundPort is what every client that may call the service port is sent.
type OutboundPort struct {
	Port     PortID   `json:"port"`
	Protocol Protocol `json:"protocol"`
	Headless bool     `json:"headless,omitempty"`
	// Listener lacks its address: link appends it (the VIPs; a headless service
	// gets one listener per endpoint address, named NAME@ADDRESS).
	Listener  Ref      `json:"listener"`
	Route     Ref      `json:"route"`     // HTTP, else NoRef
	Extension Ref      `json:"extension"` // tcp_proxy, TCP, else NoRef
	Clusters  []PortID `json:"clusters"`  // every cluster its route or tcp_proxy names
	Direct    Ref      `json:"direct"`    // headless: the ORIGINAL_DST cluster, else NoRef
}

// Cluster is the EDS cluster of a service port. Link fills its
// ClusterLoadAssignment (same name as the cluster).
type Cluster struct {
	Port     PortID     `json:"port"`
	Resource Ref        `json:"resource"`
	Accounts []Identity `json:"accounts"` // endpoints of any other account stay out
}

// Scope is what a set of identities sees outbound.
type Scope struct {
	Virtual Ref `json:"virtual"` // the 15001 listener
	// Ranged is the chain that answers 403 for the mesh's own addresses where
	// egress is allowed (NoRef where it is denied). Link appends prefix_ranges to
	// its filter_chain_match and the chain to Virtual; with no ranges known it
	// matches everything, so egress stays denied.
	Ranged   Ref      `json:"ranged"`
	Extra    []Ref    `json:"extra"` // clusters that are always there (inbound, passthrough)
	Outbound []PortID `json:"outbound"`
	// Without are clusters that a route of this scope names and it must not be
	// given: outside leaves of a split where egress is denied. Their share is 403.
	Without []PortID `json:"without,omitempty"`
}

// IdentityPlan leads from an identity to its scope.
type IdentityPlan struct {
	Identity Identity `json:"identity"`
	Scope    int      `json:"scope"`
}

// RolePlan is the inbound side of a role.
type RolePlan struct {
	Identity Identity      `json:"identity"`
	Services []ServiceID   `json:"services"`
	Listener Ref           `json:"listener"` // the 15003 listener without chains
	Ports    []InboundPlan `json:"ports"`
}

// InboundPlan is one target port of a role. Link appends destination_port to
// each chain's filter_chain_match and the chains to the listener.
type InboundPlan struct {
	TargetPort uint16   `json:"targetPort,omitempty"` // expected; 0: bound by link
	Protocol   Protocol `json:"protocol"`
	Services   []PortID `json:"services"`
	Chains     []Ref    `json:"chains"`
	Route      Ref      `json:"route"` // HTTP, else NoRef
	// Extension is the network RBAC of a TCP port, served by ECDS: it names the
	// deciding grant and judges a second time what the chain has let in. Else NoRef.
	Extension Ref `json:"extension"`
}

// LateFact is one thing the control plane binds.
type LateFact struct {
	Kind  string `json:"kind"`  // address, endpoints, targetPort, role, ranges
	About string `json:"about"` // "bookstore/bookstore:14001"
	By    string `json:"by"`    // who binds it, from what
	Drift string `json:"drift"` // what a difference from the compiled expectation does
}
