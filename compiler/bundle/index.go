package bundle

import (
	"math"

	"github.com/meshc/meshc/compiler/ir"
)

const (
	indexMagic   = "meshc index 1\n"
	originsMagic = "meshc origins 1\n"
)

// entry is where a resource lies in the pack. Equal Any bytes share an offset.
type entry struct {
	Type   ir.ResourceType
	Name   string
	Offset int // of the Any, behind its length prefix
	Length int
	Digest [32]byte
}

// walkIndex is the index: entries in the order of Plan.Resources, then the plan.
func walkIndex(c *coder, entries *[]entry, p *ir.Plan) {
	list(c, entries, 36, walkEntry)
	last := len(*entries)
	list(c, &p.Outbound, 10, func(c *coder, o *ir.OutboundPort) {
		walkPort(c, &o.Port)
		text(c, &o.Protocol)
		flag(c, &o.Headless)
		walkRefs(c, last, &o.Listener, &o.Route, &o.Extension, &o.Direct)
		list(c, &o.Clusters, 3, walkPort)
	})
	list(c, &p.Clusters, 5, func(c *coder, o *ir.Cluster) {
		walkPort(c, &o.Port)
		walkRefs(c, last, &o.Resource)
		list(c, &o.Accounts, 1, text[ir.Identity])
	})
	list(c, &p.Scopes, 4, func(c *coder, o *ir.Scope) {
		walkRefs(c, last, &o.Virtual, &o.Ranged)
		list(c, &o.Extra, 1, func(c *coder, r *ir.Ref) { walkRefs(c, last, r) })
		list(c, &o.Outbound, 3, walkPort)
		list(c, &o.Without, 3, walkPort)
	})
	list(c, &p.Identities, 2, func(c *coder, o *ir.IdentityPlan) {
		text(c, &o.Identity)
		number(c, &o.Scope, math.MaxInt32)
	})
	list(c, &p.Roles, 4, func(c *coder, o *ir.RolePlan) {
		text(c, &o.Identity)
		list(c, &o.Services, 2, walkService)
		walkRefs(c, last, &o.Listener)
		list(c, &o.Ports, 6, func(c *coder, i *ir.InboundPlan) { walkInbound(c, last, i) })
	})
	list(c, &p.Late, 4, func(c *coder, o *ir.LateFact) {
		text(c, &o.Kind)
		text(c, &o.About)
		text(c, &o.By)
		text(c, &o.Drift)
	})
}

func walkInbound(c *coder, last int, o *ir.InboundPlan) {
	number(c, &o.TargetPort, math.MaxUint16)
	text(c, &o.Protocol)
	list(c, &o.Services, 3, walkPort)
	list(c, &o.Chains, 1, func(c *coder, r *ir.Ref) { walkRefs(c, last, r) })
	walkRefs(c, last, &o.Route, &o.Extension)
}

func walkEntry(c *coder, e *entry) {
	text(c, &e.Type)
	text(c, &e.Name)
	number(c, &e.Offset, maxPack)
	number(c, &e.Length, maxPack)
	raw(c, e.Digest[:])
}

func walkService(c *coder, s *ir.ServiceID) {
	text(c, &s.Namespace)
	text(c, &s.Name)
}

func walkPort(c *coder, p *ir.PortID) {
	walkService(c, &p.Service)
	number(c, &p.Port, math.MaxUint16)
}

// walkRefs walks references, 0 for none, and refuses one past the last resource.
func walkRefs(c *coder, resources int, refs ...*ir.Ref) {
	for _, r := range refs {
		n := *r + 1
		number(c, &n, uint64(resources))
		*r = n - 1
	}
}

// namedOrigin is an entry of Mesh.Origins.
type namedOrigin struct {
	About string
	ir.Origin
}

func walkOrigins(c *coder, all *[]namedOrigin) {
	list(c, all, 7, func(c *coder, o *namedOrigin) {
		text(c, &o.About)
		text(c, &o.Kind)
		text(c, &o.Namespace)
		text(c, &o.Name)
		text(c, &o.File)
		number(c, &o.Line, math.MaxInt32)
		number(c, &o.Col, math.MaxInt32)
	})
}
