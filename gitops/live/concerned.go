package live

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// Count is of proxies.
type Count struct{ Connected, Acknowledged int }

// Proxies are what is known of those that are served.
type Proxies struct {
	Digest string           // policy digest of what is served
	Of     map[string]Count // by identity; acknowledged: they have taken all of it
	silent int              // replicas that have not said that they serve it
}

// count counts the proxies of some identities; of nil: all.
func (p Proxies) count(of map[ir.Identity]bool) Count {
	var out Count
	for id, n := range p.Of {
		if of == nil || of[ir.Identity(id)] {
			out.Connected += n.Connected
			out.Acknowledged += n.Acknowledged
		}
	}
	return out
}

func (n Count) String() string {
	if n.Connected == 0 {
		return "no connected proxy is concerned"
	}
	return fmt.Sprintf("%d of %d proxies acknowledged it", n.Acknowledged, n.Connected)
}

// concerned are the identities whose proxies are told something else because of an
// object that is in force; nil: all of the mesh.
func (l *Live) concerned(name syntax.Name, b *bundle.Bundle) map[ir.Identity]bool {
	if b == nil || name.Kind == meshKind {
		return nil
	}
	out := map[ir.Identity]bool{}
	switch name.Kind {
	case "Waivers": // they are about findings
	case glassKind:
		l.ofGlass(out, name, b)
	case "TrafficSplit":
		ofSplits(out, b, func(s *ir.Split) bool { return s.Name == pathOf(name) })
	case "HTTPRouteGroup":
		has := func(m ir.Match) bool { return strings.HasPrefix(m.Name, pathOf(name)+"#") }
		ofGrants(out, b.Mesh, func(g *ir.Grant) bool { return slices.ContainsFunc(g.HTTP, has) })
		ofSplits(out, b, func(s *ir.Split) bool { return slices.ContainsFunc(s.Matches, has) })
	default: // grants do not say which other routes and bindings they were made of
		targets := map[string]bool{pathOf(name): true}
		for _, o := range l.stores["TrafficTarget"].GetStore().List() {
			if u := o.(*unstructured.Unstructured); refers(u, name) {
				targets["TrafficTarget/"+u.GetNamespace()+"/"+u.GetName()] = true
			}
		}
		ofGrants(out, b.Mesh, func(g *ir.Grant) bool {
			target, _, _ := strings.Cut(g.Name, "#")
			return targets[target]
		})
	}
	return out
}

// ofGrants adds both ends of grants.
func ofGrants(out map[ir.Identity]bool, m *ir.Mesh, is func(*ir.Grant) bool) {
	for i := range m.Grants {
		g := &m.Grants[i]
		if !is(g) {
			continue
		}
		out[g.Destination] = true
		for _, id := range g.Sources {
			out[id] = true
		}
	}
}

// ofSplits adds who runs behind the services of splits, and who is told of their roots.
func ofSplits(out map[ir.Identity]bool, b *bundle.Bundle, is func(*ir.Split) bool) {
	roots := map[ir.ServiceID]bool{}
	for i := range b.Mesh.Splits {
		s := &b.Mesh.Splits[i]
		if !is(s) {
			continue
		}
		roots[s.Root] = true
		services := []ir.ServiceID{s.Root}
		for _, leaf := range s.Backends {
			services = append(services, leaf.Service)
		}
		for _, id := range services {
			if service, ok := b.Mesh.Service(id); ok {
				for _, account := range service.Accounts {
					out[account] = true
				}
			}
		}
	}
	sees := make([]bool, len(b.Plan.Scopes))
	for i := range b.Plan.Scopes {
		sees[i] = slices.ContainsFunc(b.Plan.Scopes[i].Outbound, func(p ir.PortID) bool { return roots[p.Service] })
	}
	for _, id := range b.Plan.Identities {
		if sees[id.Scope] {
			out[id.Identity] = true
		}
	}
}

// refers tells whether a target names a route as a rule, or a binding as a subject.
func refers(u *unstructured.Unstructured, to syntax.Name) bool {
	spec, _ := u.Object["spec"].(map[string]any)
	destination, _ := spec["destination"].(map[string]any)
	rules, _ := spec["rules"].([]any)
	sources, _ := spec["sources"].([]any)
	for _, x := range append(append([]any{destination}, rules...), sources...) {
		ref, _ := x.(map[string]any)
		namespace, given := ref["namespace"].(string)
		if !given || namespace == "" {
			namespace = u.GetNamespace()
		}
		if ref["kind"] == to.Kind && ref["name"] == to.Name && namespace == to.Namespace {
			return true
		}
	}
	return false
}
