package contract

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// Policy is a policy that compiled without an error.
type Policy struct {
	Files *syntax.Files
	Mesh  *ir.Mesh
	// Known are the facts of the lock and of assumptions that the policy used.
	Known []ir.Fact
	// Labels are those that the tree shows of its namespaces.
	Labels map[string]map[string]string
	// File gives the name of a file in the policy's repository; nil: as it is.
	File func(string) string
}

// Labels are the labels of namespaces that a tree shows.
func Labels(inventory *ir.Inventory) map[string]map[string]string {
	out := map[string]map[string]string{}
	for _, n := range inventory.Namespaces {
		if n.Labels != nil {
			out[n.Name] = n.Labels
		}
	}
	return out
}

// Labels of namespaces that matter to a mesh.
var meshLabels = []string{labelInject, labelMesh}

const (
	labelInject         = "meshc.dev/inject"
	labelMesh           = "meshc.dev/mesh"
	annotationPlaintext = "meshc.dev/plaintext-ports"
)

// Of is what a policy relies on, a contract for each namespace, in order of
// namespace. Where a fact came from does not matter: the tree, the lock or an
// assumption.
func Of(p Policy) []*Contract {
	if p.File == nil {
		p.File = func(s string) string { return s }
	}
	w := &writer{Policy: p, facts: map[string]*Fact{}, behind: map[ir.Identity][]*ir.Service{}, objects: map[string]*syntax.Object{}}
	for i := range p.Mesh.Services {
		s := &p.Mesh.Services[i]
		for _, id := range s.Accounts {
			w.behind[id] = append(w.behind[id], s)
		}
	}
	for _, o := range p.Files.Objects {
		w.objects[o.Ref().String()] = o
	}
	w.grants()
	w.splits()
	w.modes()
	w.absences()
	w.roles()
	w.namespaces()
	return w.contracts()
}

// writer collects facts under what they are about.
type writer struct {
	Policy
	facts   map[string]*Fact
	behind  map[ir.Identity][]*ir.Service
	objects map[string]*syntax.Object // by Kind/NAMESPACE/NAME
}

// add takes in a fact with a line that relies on it.
func (w *writer) add(f Fact, r Reader) {
	have, ok := w.facts[f.about()]
	if !ok {
		have = &f
		w.facts[f.about()] = have
	}
	if r.File != "" {
		have.Readers = append(have.Readers, r)
	}
}

func (w *writer) reader(at diag.Span, object, effect string) Reader {
	return Reader{File: w.File(at.File), Line: at.Line, Object: object, Effect: effect}
}

// account is relied on to exist.
func (w *writer) account(id ir.Identity, r Reader) {
	_, ns, name, ok := id.Split()
	if !ok {
		return
	}
	outside := slices.ContainsFunc(w.Known, func(f ir.Fact) bool {
		return f.Kind == kindAccount && f.Namespace == ns && f.Name == name && f.Meshed != nil && !*f.Meshed
	})
	w.add(Fact{Kind: kindAccount, Namespace: ns, Name: name, Outside: outside}, r)
}

// port is relied on with its service and, if one is named, the account behind it.
func (w *writer) port(id ir.PortID, account ir.Identity, r Reader) {
	s, ok := w.Mesh.Service(id.Service)
	if !ok {
		return
	}
	w.service(s, r)
	for _, p := range s.Ports {
		if p.Number == id.Port {
			w.add(portFact(s.ID, p), r)
		}
	}
	if account != "" {
		w.add(Fact{Kind: kindBehind, Namespace: s.ID.Namespace, Name: s.ID.Name, Account: account.Short()}, r)
	}
}

func (w *writer) service(s *ir.Service, r Reader) {
	w.add(Fact{Kind: kindService, Namespace: s.ID.Namespace, Name: s.ID.Name, Headless: s.Headless, Outside: s.Outside}, r)
}

func portFact(id ir.ServiceID, p ir.Port) Fact {
	f := Fact{Kind: kindPort, Namespace: id.Namespace, Name: id.Name, Port: p.Number, Protocol: p.Protocol, Target: p.TargetName, Plaintext: p.Plaintext}
	if f.Target == "" {
		f.Target = strconv.Itoa(int(p.TargetPort))
	}
	return f
}

// absences are services that the lock says are not there.
func (w *writer) absences() {
	for _, s := range w.Mesh.Splits {
		for _, b := range s.Backends {
			if !b.Missing {
				continue
			}
			id := b.Service
			w.add(Fact{Kind: kindAbsent, Namespace: id.Namespace, Name: id.Name},
				w.backend(s, id, "no call goes to "+id.String()+" while it is not there"))
		}
	}
}

// roles are the services that one workload backs together. Of an account behind a
// single service there is nothing to say.
func (w *writer) roles() {
	for _, role := range w.Mesh.Roles {
		_, ns, name, ok := role.Identity.Split()
		if !ok || len(w.behind[role.Identity]) < 2 || len(role.Services) == 0 {
			continue
		}
		f := Fact{Kind: kindRole, Namespace: ns, Name: name, Services: role.Services}
		for _, have := range w.readersOf(func(o *Fact) bool { return o.Kind == kindOpened && o.account() == f.account() }) {
			w.add(f, have)
		}
	}
}

// namespaces are relied on by the policy that lies in them, else by whoever relies
// on anything there.
func (w *writer) namespaces() {
	names := map[string]bool{}
	for _, f := range w.facts {
		names[f.home()] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		f := Fact{Kind: kindNamespace, Name: name, Labels: w.labels(name)}
		w.add(f, Reader{})
		for _, o := range w.Files.Objects {
			if o.Namespace == name && (o.Kind == "TrafficTarget" || o.Kind == "TrafficSplit") {
				w.add(f, w.reader(o.At("metadata", "name"), o.Ref().String(), o.Ref().String()+" counts while the namespace is in the mesh"))
			}
		}
		if have := w.facts[f.about()]; len(have.Readers) == 0 {
			have.Readers = w.readersOf(func(o *Fact) bool { return o.Kind == kindAccount && o.Namespace == name })
		}
	}
}

// labels are those of a namespace that matter, from the tree or from a known fact.
func (w *writer) labels(namespace string) map[string]string {
	all, shown := w.Labels[namespace]
	for _, f := range w.Known {
		if !shown && f.Kind == kindNamespace && f.Name == namespace {
			all = f.Labels
		}
	}
	out := map[string]string{}
	for _, l := range meshLabels {
		if v := all[l]; v != "" {
			out[l] = v
		}
	}
	return out
}

// readersOf are the readers of some facts, each line once.
func (w *writer) readersOf(which func(*Fact) bool) []Reader {
	var out []Reader
	for _, f := range w.facts {
		if which(f) {
			out = append(out, f.Readers...)
		}
	}
	return distinct(out)
}

// distinct sorts readers, each once.
func distinct(readers []Reader) []Reader {
	slices.SortFunc(readers, compareReaders)
	return slices.Compact(readers)
}

// contracts puts the facts of each namespace in order.
func (w *writer) contracts() []*Contract {
	by := map[string]*Contract{}
	for _, about := range slices.Sorted(maps.Keys(w.facts)) {
		f := w.facts[about]
		f.Readers = distinct(f.Readers)
		c := by[f.home()]
		if c == nil {
			c = &Contract{Namespace: f.home(), Mesh: w.Mesh.Settings.Name, TrustDomain: w.Mesh.Settings.TrustDomain, Mode: w.Mesh.Namespace(f.home()).Mode}
			by[f.home()] = c
		}
		c.Facts = append(c.Facts, *f)
	}
	var out []*Contract
	for _, ns := range slices.Sorted(maps.Keys(by)) {
		slices.SortFunc(by[ns].Facts, func(a, b Fact) int { return strings.Compare(a.String(), b.String()) })
		out = append(out, by[ns])
	}
	return out
}
