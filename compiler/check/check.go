// Package check holds the built-in judgements about a mesh that resolved: hints
// and warnings about policy that means something, but perhaps not what its
// author meant. In come the files' objects and the mesh, out come findings. Each
// judgement is a remembered function of what it reads (package memo). It refuses
// to resolve names: that is done.
package check

import (
	"slices"
	"strconv"
	"strings"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/diff"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/memo"
	"github.com/meshc/meshc/compiler/syntax"
)

// World is what judgements read. What a judgement has read is remembered with it,
// if the world remembers too.
type World interface {
	Config() *syntax.Config
	Settings() ir.Settings
	// Policy is the settings in force in a namespace.
	Policy(namespace string) ir.Namespace
	// Places are the namespaces that may hold anything.
	Places() []string
	// Service finds a service of the mesh; nil: there is none.
	Service(ir.ServiceID) *ir.Service
	// Services are those of a namespace, in order.
	Services(namespace string) []ir.ServiceID
	// Targets and Splits are those of a namespace, in order of name.
	Targets(namespace string) []ir.ServiceID
	Splits(namespace string) []ir.Split
	// Grants are those of a target.
	Grants(target ir.ServiceID) []ir.Grant
	// Objects are those of a kind in a namespace, in order of name.
	Objects(kind, namespace string) []*syntax.Object
	// Object is the first of a name; nil: there is none.
	Object(kind, namespace, name string) *syntax.Object
	// Called are all of a name: several are an error that is told elsewhere.
	Called(kind, namespace, name string) []*syntax.Object
	// Fact is where the known fact of a service stands that no object shows.
	Fact(ir.ServiceID) diag.Span
}

// Session judges a world that changes.
type Session struct{ judge }

// judge is the judgements and what they have in common.
type judge struct {
	World
	indexes
	rulings
	// comparer works for one judgement: what it may do in all is bounded, and must
	// not depend on who came before.
	comparer *diff.Comparer
}

// comparing is the judge of one judgement that compares requests.
func (j *judge) comparing() *judge {
	own := *j
	own.comparer = diff.NewComparer()
	return &own
}

// indexes are remembered functions that several judgements read. Those of a
// namespace say which of its objects are concerned with something, and are made of
// what each object names: so they stay what they are when an object means another
// thing of the same things.
type indexes struct {
	opened  *memo.Table[ir.ServiceID, []ir.Identity]            // destinations of a target, sorted
	openers *memo.Table[string, map[ir.Identity][]ir.ServiceID] // targets of a namespace, by destination
	grants  *memo.Table[ir.Identity, []ir.Grant]                // by destination
	roots   *memo.Table[string, map[ir.ServiceID]bool]          // of splits without matches, by namespace
	rooted  *memo.Table[ir.ServiceID, bool]
	splits  *memo.Table[string, map[string]ir.Split] // of a namespace, by name
	split   *memo.Table[place, ir.Split]
	naming  *memo.Table[place, []string]                   // routes that targets or splits of a KIND/NAME name, sorted
	namers  *memo.Table[string, map[string][]ir.ServiceID] // targets of a namespace, by the routes they name
	users   *memo.Table[place, []ir.ServiceID]
	uses    *memo.Table[place, []use]
	rules   *memo.Table[string, map[string]bool] // routes that something of a namespace names
	ruled   *memo.Table[place, bool]
}

// place names something of a namespace.
type place struct{ namespace, name string }

// rulings are the judgements; findings are sorted later.
type rulings struct {
	settings *memo.Table[struct{}, *diag.List]
	group    *memo.Table[place, *diag.List]
	route    *memo.Table[place, *diag.List]
	udp      *memo.Table[ir.ServiceID, *diag.List]
	service  *memo.Table[ir.ServiceID, *diag.List]
	leaves   *memo.Table[place, *diag.List]
	regions  [3]*memo.Table[string, *diag.Section]
	whole    *memo.Table[struct{}, *diag.Section]
}

// NewSession judges a world; its graph is the one in which the world remembers.
func NewSession(g *memo.Graph, w World) *Session {
	s := &Session{judge{World: w}}
	j := &s.judge
	j.opened = memo.Func(g, slices.Equal, j.readOpened)
	j.openers = memo.Func(g, never, j.readOpeners)
	j.grants = memo.Func(g, sameGrants, j.readGrants)
	j.roots = memo.Func(g, never, j.readRoots)
	j.rooted = memo.Func(g, memo.Is, func(id ir.ServiceID) bool { return j.roots.Get(id.Namespace)[id] })
	j.splits = memo.Func(g, never, j.readSplits)
	j.split = memo.Func(g, sameSplit, func(p place) ir.Split { return j.splits.Get(p.namespace)[p.name] })
	j.naming = memo.Func(g, slices.Equal, j.readNaming)
	j.namers = memo.Func(g, never, j.readNamers)
	j.users = memo.Func(g, slices.Equal, func(p place) []ir.ServiceID { return j.namers.Get(p.namespace)[p.name] })
	j.uses = memo.Func(g, sameUses, j.readUses)
	j.rules = memo.Func(g, never, j.readRules)
	j.ruled = memo.Func(g, memo.Is, func(p place) bool { return j.rules.Get(p.namespace)[p.name] })

	j.settings = memo.Func(g, memo.Is, batch(func(struct{}) diag.List { return egressWithoutRanges(j) }))
	j.group = memo.Func(g, memo.Is, batch(func(p place) diag.List { return headerGrants(j, p) }))
	j.route = memo.Func(g, memo.Is, batch(func(p place) diag.List { return unusedRoutes(j, p) }))
	j.udp = memo.Func(g, memo.Is, batch(func(target ir.ServiceID) diag.List { return udpGrants(j, target) }))
	j.service = memo.Func(g, memo.Is, batch(func(id ir.ServiceID) diag.List {
		return append(unlikePods(j, id), waitingClients(j, id)...)
	}))
	j.leaves = memo.Func(g, memo.Is, batch(func(p place) diag.List { return unlikeLeaves(j, p) }))
	for i, read := range []func(string) *diag.Section{j.readRoutes, j.readServices, j.readLeaves} {
		j.regions[i] = memo.Func(g, memo.Is, read)
	}
	j.whole = memo.Func(g, memo.Is, func(struct{}) *diag.Section { return &diag.Section{Batches: []*diag.List{j.settings.Get(struct{}{})}} })
	return s
}

func batch[K comparable](f func(K) diag.List) func(K) *diag.List {
	return func(k K) *diag.List {
		found := f(k)
		return &found
	}
}

// never is for indexes that nothing but their parts reads.
func never[V any](_, _ V) bool { return false }

// home is the namespace of an identity: only targets there grant access to it.
func home(id ir.Identity) string {
	_, ns, _, _ := id.Split()
	return ns
}

// readOpened are the destinations of a target's grants.
func (j *judge) readOpened(target ir.ServiceID) []ir.Identity {
	var out []ir.Identity
	for _, g := range j.Grants(target) {
		out = append(out, g.Destination)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (j *judge) readOpeners(ns string) map[ir.Identity][]ir.ServiceID {
	out := map[ir.Identity][]ir.ServiceID{}
	for _, target := range j.Targets(ns) {
		for _, to := range j.opened.Get(target) {
			out[to] = append(out[to], target)
		}
	}
	return out
}

func (j *judge) readGrants(to ir.Identity) []ir.Grant {
	var out []ir.Grant
	for _, target := range j.openers.Get(home(to))[to] {
		for _, g := range j.Grants(target) {
			if g.Destination == to {
				out = append(out, g)
			}
		}
	}
	return out
}

// Findings are all findings, in sections that stay the same while what they are
// about does.
func (s *Session) Findings() []*diag.Section {
	out := []*diag.Section{s.whole.Get(struct{}{})}
	for _, ns := range s.Places() {
		for _, region := range s.regions {
			out = append(out, region.Get(ns))
		}
	}
	return out
}

// The sections of a namespace, apart because few edits concern more than one.
func (j *judge) readRoutes(ns string) *diag.Section {
	s := &diag.Section{}
	for _, target := range j.Targets(ns) {
		add(s, j.udp.Get(target))
	}
	for _, kind := range routeKinds {
		for _, o := range j.Objects(kind, ns) {
			p := place{ns, kind + "/" + o.Name}
			add(s, j.route.Get(p))
			if o.HTTPRouteGroup != nil {
				add(s, j.group.Get(p))
			}
		}
	}
	return s
}

func (j *judge) readServices(ns string) *diag.Section {
	s := &diag.Section{}
	for _, id := range j.Services(ns) {
		add(s, j.service.Get(id))
	}
	return s
}

func (j *judge) readLeaves(ns string) *diag.Section {
	s := &diag.Section{}
	for _, sp := range j.Splits(ns) {
		add(s, j.leaves.Get(place{ns, sp.Name}))
	}
	return s
}

func add(s *diag.Section, found *diag.List) {
	if len(*found) > 0 {
		s.Batches = append(s.Batches, found)
	}
}

// routeKinds are the kinds that targets and splits name.
var routeKinds = []string{"HTTPRouteGroup", "TCPRoute", "UDPRoute"}

// Mesh judges a mesh that does not change.
func Mesh(files *syntax.Files, mesh *ir.Mesh) diag.List {
	return diag.All(NewSession(memo.New(), newStill(files, mesh)).Findings())
}

// named is the object of a name KIND/NS/NAME; nil: there is none.
func (j *judge) named(name string) *syntax.Object {
	kind, rest, _ := strings.Cut(name, "/")
	ns, name, _ := strings.Cut(rest, "/")
	return j.Object(kind, ns, name)
}

// finding starts a finding about a value of an object, at a path in the union form.
func finding(o *syntax.Object, code diag.Code, path []any, format string, args ...any) diag.Finding {
	var b strings.Builder
	for _, p := range o.PathTo(path...) {
		switch v := p.(type) {
		case int:
			b.WriteString("[" + strconv.Itoa(v) + "]")
		case string:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(v)
		}
	}
	return diag.New(code, o.AtUnion(path...), format, args...).About(o.Ref(), b.String())
}

// rule finds the target and the rule that a grant of the name came from.
func (j *judge) rule(grant string) (*syntax.Object, []any) {
	name, rule, _ := strings.Cut(grant, "#rule")
	i, err := strconv.Atoi(rule)
	o := j.named(name)
	if o == nil || err != nil {
		return o, []any{"spec", "destination"}
	}
	return o, []any{"spec", "rules", i}
}

// servicePort finds what was written of a service's port; nil for known facts.
func (j *judge) servicePort(id ir.PortID) (*syntax.Object, []any) {
	o := j.Object("Service", id.Service.Namespace, id.Service.Name)
	if o == nil || o.Service == nil {
		return nil, nil
	}
	for i, p := range o.Service.Ports {
		if p.Port == int64(id.Port) {
			return o, []any{"spec", "ports", i, "port"}
		}
	}
	return o, []any{"spec", "ports"}
}
