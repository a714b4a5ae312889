package contract

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// Who reads what: grants their subjects, ports and the accounts behind these;
// splits their services; modes that need no grant all services.

// grants takes in what TrafficTargets rely on.
func (w *writer) grants() {
	for i := range w.Mesh.Grants {
		g := &w.Mesh.Grants[i]
		name, _, _ := strings.Cut(g.Name, "#")
		o := w.objects[name]
		if o == nil || o.TrafficTarget == nil {
			continue
		}
		rule := w.Mesh.Origins[g.Name]
		at := diag.Span{File: rule.File, Line: rule.Line}
		who := some(g.Sources, ir.Identity.Short)
		for _, id := range g.Ports {
			w.port(id, g.Destination, w.reader(at, name, who+" may call "+id.String()+matches(g.HTTP)))
		}
		to := some(g.Ports, ir.PortID.String)
		w.account(g.Destination, w.reader(o.AtUnion("spec", "destination", "name"), name, who+" may call "+to))
		for _, id := range g.Sources {
			w.account(id, w.reader(w.source(o, id), name, id.Short()+" may call "+to))
		}
		w.opened(o, g, at)
	}
}

// source is the line that names a source: in the target, else in the binding that
// the target names.
func (w *writer) source(o *syntax.Object, id ir.Identity) diag.Span {
	for i, s := range o.TrafficTarget.Sources {
		if s.Kind == "ServiceAccount" && s.Namespace+"/"+s.Name == id.Short() {
			return o.AtUnion("spec", "sources", i, "name")
		}
	}
	for _, s := range o.TrafficTarget.Sources {
		b := w.objects["IdentityBinding/"+s.Namespace+"/"+s.Name]
		if s.Kind == "IdentityBinding" && b != nil && b.IdentityBinding != nil {
			if at, ok := bound(b, id); ok {
				return at
			}
		}
	}
	return o.AtUnion("spec", "sources")
}

// bound is the line of a binding that stands for an identity.
func bound(b *syntax.Object, id ir.Identity) (diag.Span, bool) {
	schemes := b.IdentityBinding
	if b.Namespace+"/"+schemes.ServiceAccount == id.Short() {
		return b.AtUnion("spec", "schemes", "serviceAccount"), true
	}
	for i, written := range schemes.SPIFFEIdentities {
		if "spiffe://"+strings.TrimPrefix(written, "spiffe://") == string(id) {
			return b.AtUnion("spec", "schemes", "spiffeIdentities", i), true
		}
	}
	_, ns, _, _ := id.Split()
	return b.AtUnion("spec", "schemes", "podLabelSelector"), schemes.PodLabelSelector != nil && ns == b.Namespace
}

// opened tells which ports of services that may yet come behind the account the
// grant would open: grants go to accounts, not to services.
func (w *writer) opened(o *syntax.Object, g *ir.Grant, at diag.Span) {
	_, ns, name, ok := g.Destination.Split()
	if !ok {
		return
	}
	who := some(g.Sources, ir.Identity.Short)
	for _, f := range w.openings(o, g) {
		f.Kind, f.Namespace, f.Name = kindOpened, ns, name
		what := "every " + strings.ToUpper(string(f.Protocol)) + " port"
		if f.Port != 0 {
			what = "port " + strconv.Itoa(int(f.Port))
		}
		w.add(f, w.reader(at, o.Ref().String(), fmt.Sprintf("%s may call %s of whatever %s backs%s", who, what, g.Destination.Short(), matches(g.HTTP))))
	}
}

// openings are the classes and numbers of ports that a grant takes in.
func (w *writer) openings(o *syntax.Object, g *ir.Grant) []Fact {
	protocol := ir.Protocol("tcp")
	if len(g.HTTP) > 0 {
		protocol = "http"
	}
	rules := o.TrafficTarget.Rules
	if _, index, ok := strings.Cut(g.Name, "#rule"); ok && protocol != "http" {
		i, err := strconv.Atoi(index)
		if err != nil || i >= len(rules) {
			return nil
		}
		if rules[i].Kind == "UDPRoute" {
			protocol = "udp"
		}
		rules = rules[i : i+1]
	}
	numbers, all := w.routes(o.Namespace, rules)
	if p := o.TrafficTarget.Destination.Port; p != nil {
		if all || slices.Contains(numbers, *p) {
			numbers, all = []int64{*p}, false
		} else {
			numbers, all = nil, false
		}
	}
	if all {
		return []Fact{{Protocol: protocol}}
	}
	var out []Fact
	for _, n := range numbers {
		if n > 0 && n <= 65535 {
			out = append(out, Fact{Protocol: protocol, Port: uint16(n)})
		}
	}
	return out
}

// routes are the ports that the TCPRoutes and UDPRoutes among rules name; all:
// one of them names none, or there is none.
func (w *writer) routes(namespace string, rules []syntax.Rule) (numbers []int64, all bool) {
	all = true
	for _, rule := range rules {
		o := w.objects[rule.Kind+"/"+namespace+"/"+rule.Name]
		if o == nil {
			continue
		}
		route := o.TCPRoute
		if route == nil {
			route = o.UDPRoute
		}
		if route == nil {
			continue
		}
		if len(route.Ports) == 0 {
			return nil, true
		}
		all = false
		numbers = append(numbers, route.Ports...)
	}
	return numbers, all
}

// matches says which requests, by the names of the matches.
func matches(list []ir.Match) string {
	if len(list) == 0 {
		return ""
	}
	return " (" + some(list, func(m ir.Match) string {
		_, name, _ := strings.Cut(m.Name, "#")
		return name
	}) + ")"
}

// some names things in words, at most three of them.
func some[T any](list []T, name func(T) string) string {
	const most = 3
	var names []string
	for _, x := range list[:min(most, len(list))] {
		names = append(names, name(x))
	}
	text := strings.Join(names, ", ")
	if more := len(list) - most; more > 0 {
		text += " and " + strconv.Itoa(more) + " more"
	}
	return text
}

// splits takes in what TrafficSplits rely on.
func (w *writer) splits() {
	for _, s := range w.Mesh.Splits {
		o := w.objects[s.Name]
		root, ok := w.Mesh.Service(s.Root)
		if o == nil || !ok {
			continue
		}
		calls := w.reader(o.AtUnion("spec", "service"), s.Name, "calls to "+s.Root.String()+" are split")
		w.service(root, calls)
		split := Fact{Kind: kindSplit, Namespace: s.Root.Namespace, Name: s.Root.Name}
		for _, b := range s.Backends {
			leaf, ok := w.Mesh.Service(b.Service)
			if !ok || b.Missing {
				continue
			}
			share := w.backend(s, b.Service, "a share of the calls to "+s.Root.String()+" goes to "+b.Service.String())
			w.service(leaf, share)
			split.Services = append(split.Services, b.Service)
			for _, id := range leaf.Accounts {
				w.add(Fact{Kind: kindBehind, Namespace: b.Service.Namespace, Name: b.Service.Name, Account: id.Short()}, share)
			}
			for _, n := range b.Ports {
				w.port(ir.PortID{Service: b.Service, Port: n}, "", share)
				w.port(ir.PortID{Service: s.Root, Port: n}, "", calls)
			}
		}
		slices.SortFunc(split.Services, ir.ServiceID.Compare)
		w.add(split, calls)
	}
}

// backend is the line of a split that names a backend.
func (w *writer) backend(s ir.Split, id ir.ServiceID, effect string) Reader {
	o := w.objects[s.Name]
	if o == nil || o.TrafficSplit == nil {
		return Reader{}
	}
	for i, b := range o.TrafficSplit.Backends {
		if name, _, _ := strings.Cut(b.Service, "."); name == id.Name {
			return w.reader(o.AtUnion("spec", "backends", i, "service"), s.Name, effect)
		}
	}
	return w.reader(o.AtUnion("spec", "backends"), s.Name, effect)
}

// modes takes in the services that need no grant to be called.
func (w *writer) modes() {
	config := w.Files.Config.Object
	if config == nil {
		return
	}
	for i := range w.Mesh.Services {
		s := &w.Mesh.Services[i]
		mode := w.Mesh.Namespace(s.ID.Namespace).Mode
		if mode == ir.Strict {
			continue
		}
		at := config.AtKey("spec", "mode")
		if _, named := w.Files.Config.Namespaces[s.ID.Namespace]; named {
			at = config.AtKey("spec", "namespaces", s.ID.Namespace, "mode")
		}
		r := w.reader(at, config.Ref().String(), "every identity of the mesh may call "+s.ID.String()+", for its namespace is "+string(mode))
		w.service(s, r)
		for _, p := range s.Ports {
			w.port(ir.PortID{Service: s.ID, Port: p.Number}, "", r)
		}
		for _, id := range s.Accounts {
			w.add(Fact{Kind: kindBehind, Namespace: s.ID.Namespace, Name: s.ID.Name, Account: id.Short()}, r)
		}
	}
}
