// Package syntax turns the bytes of a tree into typed objects that remember
// where each of their values was written. It decodes strictly: what it does not
// know in a kind it knows is a finding. Kubernetes types stop here. It knows
// nothing of what the objects mean together.
package syntax

import "github.com/meshc/meshc/compiler/diag"

// Object is one decoded document. Exactly one of the payload pointers is set,
// as Kind says; all versions of a kind share one payload, the union of them.
type Object struct {
	APIVersion  string
	Kind        string
	Namespace   string // "" only for cluster-scoped kinds; defaults are filled in
	NamespaceBy NamespaceSource
	Name        string
	Labels      map[string]string
	Annotations map[string]string
	Owners      []TypedRef // metadata.ownerReferences: who made it

	TrafficTarget   *TrafficTarget
	HTTPRouteGroup  *HTTPRouteGroup
	TCPRoute        *PortRoute
	UDPRoute        *PortRoute
	TrafficSplit    *TrafficSplit
	IdentityBinding *IdentityBinding
	NamespaceObject *NamespaceObject
	Service         *Service
	ServiceAccount  *ServiceAccount
	Workload        *Workload
	Canary          *Canary
	Waivers         *Waivers
	BreakGlass      *BreakGlass

	// Invalid: the object had decoding errors (already findings). Names in it may
	// still resolve references of others; it grants nothing.
	Invalid bool

	positions positions
	config    *Config       // of a Mesh
	table     *VerdictTable // of a VerdictTable
	contract  *Contract     // of a Contract
}

// NamespaceSource says where an object's namespace came from.
type NamespaceSource string

// The sources of a namespace; NamespaceDefaulted deserves a hint.
const (
	NamespaceWritten   NamespaceSource = "written"
	NamespaceSourceDir NamespaceSource = "source"
	NamespaceDefaulted NamespaceSource = "default"
)

// Ref names the object in findings.
func (o *Object) Ref() diag.Object {
	return diag.Object{Group: group(o.APIVersion), Kind: o.Kind, Namespace: o.Namespace, Name: o.Name}
}

// Moved tells whether an object is one of an earlier state of its file that only
// stands elsewhere now: whatever it says, it said.
func (o *Object) Moved(from *Object) bool {
	p, q := o.positions, from.positions
	return (p.root != nil || p.layout != nil) && p.root == q.root && p.layout == q.layout && o.Kind == from.Kind && o.Invalid == from.Invalid
}

// At is the span of the value at a path into the object as it was written in its
// own version; elements are field names (string) and list indices (int). With a
// path that does not exist it is the span of the longest prefix that does. For a
// kustomized object the span lies in the base or the patch the value came from.
func (o *Object) At(path ...any) diag.Span { return o.positions.at(path) }

// AtKey is like At for the key of a mapping entry instead of its value.
func (o *Object) AtKey(path ...any) diag.Span { return o.positions.atKey(path) }

// PathTo translates a path in the union form (always under spec, as in the newest
// version) into the path in the object's own version, for At and for findings.
// {"spec","rules",0,"name"} is {"specs",0,"name"} in a v1alpha1 TrafficTarget.
func (o *Object) PathTo(union ...any) []any { return translate(o, union) }

// AtUnion is At(PathTo(path...)...): what resolve uses.
func (o *Object) AtUnion(path ...any) diag.Span { return o.At(o.PathTo(path...)...) }
