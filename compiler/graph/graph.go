// Package graph draws a mesh: identities, services, who was granted what, what
// splits into what, who runs what. In comes a mesh, out come nodes and edges, cut
// down to what was asked for, and documents made of them: dot, mermaid, JSON, SVG
// and HTML. It judges nothing: ir.Decide does. Equal meshes give equal bytes.
package graph

import (
	"cmp"
	"slices"

	"github.com/meshc/meshc/compiler/ir"
)

// NodeKind is what a node stands for.
type NodeKind string

// The kinds of nodes.
const (
	Identity NodeKind = "identity"
	Service  NodeKind = "service"
)

// EdgeKind is what an edge stands for.
type EdgeKind string

// The kinds of edges: an identity may call a service; a service's calls are split
// over others; a service is run by an identity.
const (
	Grant EdgeKind = "grant"
	Split EdgeKind = "split"
	Runs  EdgeKind = "runs"
)

// Graph is a mesh as nodes and edges, sorted by ID and by ends and kind.
type Graph struct {
	Mesh  string `json:"mesh,omitempty"` // its name
	Nodes []Node `json:"nodes"`
	Edges []Edge `json:"edges"`
}

// Node is an identity or a service.
type Node struct {
	ID        string   `json:"id"` // KIND:NAMESPACE/NAME, or identity:SPIFFEID
	Kind      NodeKind `json:"kind"`
	Namespace string   `json:"namespace,omitempty"`
	Name      string   `json:"name"`
	Ports     []string `json:"ports,omitempty"` // of a service: "14001 http"
	// Mode is the service's where it lets in identities without a grant.
	Mode    ir.Mode `json:"mode,omitempty"`
	Outside bool    `json:"outside,omitempty"` // none of its workloads is in the mesh
	Missing bool    `json:"missing,omitempty"` // a split names it, nobody knows it
	File    string  `json:"file,omitempty"`
	Line    int     `json:"line,omitempty"`
}

// Edge leads from one node to another.
type Edge struct {
	From    string   `json:"from"`
	To      string   `json:"to"`
	Kind    EdgeKind `json:"kind"`
	Percent string   `json:"percent,omitempty"` // of a split: "50%"
	Causes  []Cause  `json:"causes,omitempty"`
}

// Cause is an object that makes an edge.
type Cause struct {
	Name     string   `json:"name"` // TrafficTarget/NS/NAME#ruleN, TrafficSplit/NS/NAME
	Ports    []uint16 `json:"ports,omitempty"`
	Requests []string `json:"requests,omitempty"` // "GET /books"; none: any
	File     string   `json:"file,omitempty"`
	Line     int      `json:"line,omitempty"`
}

// New draws a whole mesh.
func New(m *ir.Mesh) *Graph {
	b := &builder{mesh: m, nodes: map[string]Node{}, edges: map[edgeKey]*Edge{}}
	for _, id := range m.Identities {
		b.identity(id)
	}
	for i := range m.Services {
		b.service(&m.Services[i])
	}
	for i := range m.Grants {
		b.grant(&m.Grants[i])
	}
	for i := range m.Splits {
		b.split(&m.Splits[i])
	}
	return b.graph()
}

type edgeKey struct {
	from, to string
	kind     EdgeKind
}

type builder struct {
	mesh  *ir.Mesh
	nodes map[string]Node
	edges map[edgeKey]*Edge
}

func (b *builder) graph() *Graph {
	g := &Graph{Mesh: b.mesh.Settings.Name, Nodes: []Node{}, Edges: []Edge{}}
	for _, n := range b.nodes {
		g.Nodes = append(g.Nodes, n)
	}
	for _, e := range b.edges {
		g.Edges = append(g.Edges, *e)
	}
	slices.SortFunc(g.Nodes, func(a, b Node) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(g.Edges, func(a, b Edge) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), cmp.Compare(a.Kind, b.Kind))
	})
	return g
}

// IdentityID is the ID of an identity's node.
func IdentityID(id ir.Identity) string { return "identity:" + id.Short() }

// ServiceID is the ID of a service's node.
func ServiceID(id ir.ServiceID) string { return "service:" + id.String() }

func (b *builder) add(n Node, origin string) string {
	if _, ok := b.nodes[n.ID]; !ok {
		o := b.mesh.Origins[origin]
		n.File, n.Line = o.File, o.Line
		b.nodes[n.ID] = n
	}
	return n.ID
}

func (b *builder) identity(id ir.Identity) string {
	n := Node{ID: IdentityID(id), Kind: Identity, Name: id.Short()}
	if _, ns, account, ok := id.Split(); ok {
		n.Namespace, n.Name = ns, account
	}
	return b.add(n, "ServiceAccount/"+id.Short())
}

func (b *builder) service(s *ir.Service) {
	n := Node{ID: ServiceID(s.ID), Kind: Service, Namespace: s.ID.Namespace, Name: s.ID.Name, Outside: s.Outside}
	if mode := b.mesh.Namespace(s.ID.Namespace).Mode; mode != ir.Strict {
		n.Mode = mode
	}
	for _, p := range s.Ports {
		n.Ports = append(n.Ports, portText(p))
	}
	id := b.add(n, "Service/"+s.ID.String())
	for _, account := range s.Accounts {
		b.edge(id, b.identity(account), Runs)
	}
}

func (b *builder) edge(from, to string, kind EdgeKind) *Edge {
	key := edgeKey{from, to, kind}
	if b.edges[key] == nil {
		b.edges[key] = &Edge{From: from, To: to, Kind: kind}
	}
	return b.edges[key]
}

func (b *builder) cause(name string) Cause {
	o := b.mesh.Origins[name]
	return Cause{Name: name, File: o.File, Line: o.Line}
}
