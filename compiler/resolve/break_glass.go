package resolve

import (
	"cmp"
	"slices"
	"time"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// How long a BreakGlass may open something: unless meshc.yaml says otherwise, and
// whatever it says. skew is for clocks that differ: of who wrote the end, and of the
// cluster that took it.
const (
	breakGlassLongest = 4 * time.Hour
	breakGlassBound   = 7 * 24 * time.Hour
	breakGlassSkew    = time.Minute
)

// readBreakGlass is how long a BreakGlass may be.
func (r *resolver) readBreakGlass() time.Duration {
	longest := r.duration(r.config.BreakGlassLongest, breakGlassLongest, 0, "breakGlass", "longest")
	if longest > breakGlassBound {
		r.report(diag.New("MSH0302", r.inConfig("spec", "breakGlass", "longest"), "longest of %s is more than %s", longest, breakGlassBound).
			WithEffect("%s counts: what is opened in an emergency is never open for good", breakGlassBound).
			WithHelp("write %s or less; what is to stay open is a TrafficTarget", breakGlassBound))
		return breakGlassBound
	}
	return longest
}

func openingFinding(o *syntax.Object, code diag.Code, field, format string, args ...any) diag.Finding {
	path := []any{"spec", field}
	return diag.New(code, o.AtUnion(path...), format, args...).About(o.Ref(), pathString(path))
}

// open makes the grants of a BreakGlass, if it opens anything now. Its time is that
// of who compiles: live, one that came to its end says so itself.
func (r *resolver) open(id ir.ServiceID) *granted {
	g := &granted{part: &part{}}
	o, ok := r.find("BreakGlass", id.Namespace, id.Name)
	if !ok || o.BreakGlass == nil {
		return g
	}
	g.part = r.unit(func() {
		r.origin(nameOf(o), o, namePosition(o))
		r.report(openingFinding(o, "MSH1101", "until", "BreakGlass %q is no policy to build from", o.Name).
			WithEffect("a bundle has no clock: what it opens would stay open until the next bundle").
			WithHelp("`meshc breakglass allow` opens it in the cluster; what is to stay is a TrafficTarget"))
		b := o.BreakGlass
		over := b.Ended || !r.opts.Now.IsZero() && !r.opts.Now.Before(b.Until)
		if o.Invalid || over || !r.ours.Get(o.Namespace) || !r.mayOpen(o) {
			return
		}
		from, ok := r.opener(o)
		if !ok {
			return
		}
		r.openTo(g, o, from)
	})
	return g
}

// mayOpen judges where a BreakGlass opens, and for how long.
func (r *resolver) mayOpen(o *syntax.Object) bool {
	b := o.BreakGlass
	if b.To.Namespace != o.Namespace {
		r.report(openingFinding(o, "MSH1102", "to", "the service is in namespace %q, the BreakGlass in %q", b.To.Namespace, o.Namespace).
			WithEffect("it opens nothing: nobody opens what is not theirs").
			WithHelp("write the BreakGlass into namespace %s", b.To.Namespace))
		return false
	}
	longest := r.breakGlass
	if b.Created.IsZero() || b.Until.Sub(b.Created) <= longest+breakGlassSkew && longest > 0 {
		return true
	}
	f := openingFinding(o, "MSH1103", "until", "it would open for %s, and %s is the longest", b.Until.Sub(b.Created).Round(time.Second), longest).
		WithEffect("it opens nothing").WithHelp("open it for less; `breakGlass: {longest: ...}` of the Mesh says how long it may be, up to %s", breakGlassBound)
	if longest == 0 {
		f = openingFinding(o, "MSH1103", "until", "nothing may be opened by a BreakGlass here").
			WithEffect("it opens nothing").WithHelp("the Mesh says so: `breakGlass: {longest: 0s}`")
	}
	r.report(f)
	return false
}

// opener is who may call for a while.
func (r *resolver) opener(o *syntax.Object) (ir.Identity, bool) {
	id, _ := ir.ParseIdentity(r.settings.TrustDomain, o.BreakGlass.From)
	name, home := r.home(id)
	if home {
		if a, ok := r.knownAccount(name.namespace, name.name); ok {
			r.list(a.id)
			return a.id, true
		}
	}
	f := openingFinding(o, "MSH1104", "from", "service account %q is not known", o.BreakGlass.From).WithEffect("it opens nothing")
	switch n := diag.Nearest(name.name, r.accountNames(name.namespace)); {
	case !home:
		f = f.WithHelp("it names an account of the mesh: of the trust domain %s", r.settings.TrustDomain)
	case n != "":
		f = f.WithHelp("did you mean %s/%s?", name.namespace, n)
	}
	r.report(f)
	return "", false
}

// openTo makes the grants: to each account behind the service and, where a split
// divides its calls, behind the leaves.
func (r *resolver) openTo(g *granted, o *syntax.Object, from ir.Identity) {
	b := o.BreakGlass
	root, ok := r.knownService(b.To)
	if !ok {
		f := openingFinding(o, "MSH1104", "to", "the service %q is not known", b.To).WithEffect("it opens nothing")
		if n := diag.Nearest(b.To.Name, r.serviceNames(b.To.Namespace)); n != "" {
			f = f.WithHelp("did you mean %s/%s?", b.To.Namespace, n)
		}
		r.report(f)
		return
	}
	services := []ir.ServiceID{b.To}
	for _, s := range r.divided.Get(o.Namespace) {
		if s.Root != b.To {
			continue
		}
		for _, leaf := range s.Backends {
			services = append(services, leaf.Service)
		}
	}
	opened := map[ir.Identity][]ir.PortID{}
	for _, id := range services {
		if s := r.ports.Get(id); s != nil {
			for _, account := range s.out.Accounts {
				opened[account] = append(opened[account], r.portsOf(account, id, b.Port)...)
			}
		}
	}
	for account, ports := range opened {
		if len(ports) == 0 {
			continue
		}
		g.list = append(g.list, ir.Grant{
			Name: nameOf(o), Sources: []ir.Identity{from}, Destination: account,
			Ports: r.reach.Get(account).closure(ports), Until: b.Until,
		})
	}
	slices.SortFunc(g.list, func(a, b ir.Grant) int { return cmp.Compare(a.Destination, b.Destination) })
	if len(g.list) == 0 {
		r.report(openingFinding(o, "MSH1104", "to", "no workload of the mesh answers to %s", b.Where()).
			WithEffect("it opens nothing").WithRelated(root.at(), "the service").
			WithHelp("look at its ports and selector: only TCP ports whose workloads have a proxy can be opened"))
	}
}

// portsOf are the ports of a service that lead to an account; of all or of one number.
func (r *resolver) portsOf(account ir.Identity, id ir.ServiceID, number uint16) []ir.PortID {
	var out []ir.PortID
	for _, p := range r.reach.Get(account).ports {
		if p.id.Service == id && p.protocol != ir.UDP && (number == 0 || p.id.Port == number) {
			out = append(out, p.id)
		}
	}
	return out
}

func (r *resolver) gatherOpenings(c *chunk, ns string) {
	for _, o := range r.of("BreakGlass", ns) {
		c.add(r.opening.Get(idOf(o)).part)
	}
}
