package diff

import (
	"cmp"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/ir"
)

// way leads from a source to an account behind a service port.
type way struct {
	source ir.Identity
	door
}

// door is a service port as one account behind it opens it.
type door struct {
	port    ir.PortID
	account ir.Identity
}

func (d door) compare(o door) int {
	return cmp.Or(d.port.Compare(o.port), cmp.Compare(d.account, o.account))
}

// side is one of the two meshes with what is looked up in it.
type side struct {
	*ir.Mesh
	granted map[way]reach
	// sources are those that some grant lets through a door.
	sources map[door][]ir.Identity
	// plain are the doors that a role's target port opens to plaintext.
	plain map[door]bool
}

func newSide(m *ir.Mesh) *side {
	s := &side{Mesh: m, granted: map[way]reach{}, sources: map[door][]ir.Identity{}, plain: map[door]bool{}}
	for i := range m.Grants {
		s.grant(&m.Grants[i])
	}
	for _, r := range m.Roles {
		for _, in := range r.Ports {
			for _, p := range in.Services {
				if in.Plaintext {
					s.plain[door{p, r.Identity}] = true
				}
			}
		}
	}
	return s
}

func (s *side) grant(g *ir.Grant) {
	for _, id := range g.Ports {
		d := door{id, g.Destination}
		port, ok := s.has(d)
		if !ok {
			continue
		}
		passes := reach{}
		switch {
		case len(g.HTTP) == 0:
			passes = everything(port.Protocol, g.Name)
		case port.Protocol.IsHTTP():
			for _, m := range g.HTTP {
				if c, ok := classOf(m); ok {
					c.grant = g.Name
					passes.http = append(passes.http, c)
				}
			}
		}
		if passes.empty() {
			continue
		}
		for _, source := range g.Sources {
			w := way{source, d}
			if _, known := s.granted[w]; !known {
				s.sources[d] = append(s.sources[d], source)
			}
			s.granted[w] = s.granted[w].or(passes)
		}
	}
}

// has finds the port behind a door; ok is false where nobody of the mesh serves it.
func (s *side) has(d door) (*ir.Port, bool) {
	svc, ok := s.Service(d.port.Service)
	if !ok || svc.Outside || !slices.Contains(svc.Accounts, d.account) {
		return nil, false
	}
	port, ok := svc.Port(d.port.Port)
	return port, ok && port.Protocol != ir.UDP
}

// doors are every door of the mesh, in order.
func (s *side) doors() []door {
	var out []door
	for _, svc := range s.Services {
		if svc.Outside {
			continue
		}
		for _, p := range svc.Ports {
			for _, a := range svc.Accounts {
				if p.Protocol != ir.UDP {
					out = append(out, door{ir.PortID{Service: svc.ID, Port: p.Number}, a})
				}
			}
		}
	}
	slices.SortFunc(out, door.compare)
	return slices.Compact(out)
}

// open tells whether a door is open to every mesh identity.
func (s *side) open(d door) bool {
	_, ok := s.has(d)
	return ok && s.Open(d.port.Service)
}

// takesPlain tells whether a door is open to clients without a certificate.
func (s *side) takesPlain(d door) bool {
	port, ok := s.has(d)
	return ok && (port.Plaintext || s.Namespace(d.port.Service.Namespace).PlaintextAllowed || s.plain[d])
}

func (s *side) member(id ir.Identity) bool {
	return strings.HasPrefix(string(id), "spiffe://"+s.Settings.TrustDomain+"/")
}

// cause is where an object stands.
func (s *side) cause(name string, before bool) Cause {
	o := s.Origins[name]
	return Cause{Name: name, File: o.File, Line: o.Line, Before: before}
}

// both is the sorted union of two sorted lists.
func both[T any](a, b []T, compare func(T, T) int) []T {
	out := slices.Concat(a, b)
	slices.SortFunc(out, compare)
	return slices.CompactFunc(out, func(x, y T) bool { return compare(x, y) == 0 })
}

// trustDomain is the change of the trust domain itself: the accounts keep their
// names, and what they may do is compared by these.
func trustDomain(old, new *ir.Mesh) Change {
	return Change{
		Kind: Setting, Effect: Both,
		Text: "trustDomain changes from " + old.Settings.TrustDomain + " to " + new.Settings.TrustDomain,
		Note: "certificates of the old one are refused, and those of the new one are taken",
	}
}

// moved is a mesh with its own identities in another trust domain.
func moved(m *ir.Mesh, domain string) *ir.Mesh {
	out := *m
	before, after := "spiffe://"+m.Settings.TrustDomain+"/", "spiffe://"+domain+"/"
	one := func(id ir.Identity) ir.Identity {
		if rest, ok := strings.CutPrefix(string(id), before); ok {
			return ir.Identity(after + rest)
		}
		return id
	}
	all := func(in []ir.Identity) []ir.Identity {
		out := make([]ir.Identity, len(in))
		for i := range in {
			out[i] = one(in[i])
		}
		slices.Sort(out)
		return out
	}
	out.Settings.TrustDomain = domain
	out.Identities = all(m.Identities)
	out.Services, out.Roles, out.Grants = slices.Clone(m.Services), slices.Clone(m.Roles), slices.Clone(m.Grants)
	for i := range out.Services {
		out.Services[i].Accounts = all(m.Services[i].Accounts)
	}
	for i := range out.Roles {
		out.Roles[i].Identity = one(m.Roles[i].Identity)
	}
	for i := range out.Grants {
		out.Grants[i].Destination = one(m.Grants[i].Destination)
		out.Grants[i].Sources = all(m.Grants[i].Sources)
	}
	return &out
}
