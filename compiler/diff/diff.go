// Package diff says what a change of policy means: which identity may now or no
// longer call what, and whether that widens or narrows access. In come two meshes
// (and, for what proxies see of it, their plans); out come changes in mesh words,
// each with the objects that cause it. Sets of requests are compared as languages,
// by automata. It knows neither files and Git nor how changes are printed.
package diff

import (
	"cmp"
	"slices"

	"github.com/meshc/meshc/compiler/ir"
)

// Effect is what a change does to what may be done.
type Effect string

// The effects. Both: some requests more, others fewer. Changed: neither more nor
// fewer. Unknown: it was too large to decide.
const (
	Widened  Effect = "widened"
	Narrowed Effect = "narrowed"
	Both     Effect = "both"
	Changed  Effect = "changed"
	Unknown  Effect = "unknown"
)

// Widens tells whether more may be allowed than before; what is not known may.
func (e Effect) Widens() bool { return e == Widened || e == Both || e == Unknown }

// Narrows tells whether less may be allowed than before; what is not known may.
func (e Effect) Narrows() bool { return e == Narrowed || e == Both || e == Unknown }

// Kind is what a change is about.
type Kind string

// The kinds, in the order in which they are told.
const (
	Access    Kind = "access"    // who may call what
	Account   Kind = "account"   // which accounts workloads run under
	Mode      Kind = "mode"      // what becomes of a request that no grant covers
	Plaintext Kind = "plaintext" // clients without a mesh certificate
	Egress    Kind = "egress"    // calls that leave the mesh
	Service   Kind = "service"   // services and their ports
	Split     Kind = "split"     // where calls to a service go
	Setting   Kind = "setting"   // what else meshc.yaml says
	Rule      Kind = "rule"      // what judges: rules, severities, waivers
)

var kinds = []Kind{Access, Account, Mode, Plaintext, Egress, Service, Split, Setting, Rule}

// Who stands for a source that is no single identity.
const (
	Everyone = "every mesh identity"
	Outsider = "clients without a mesh certificate"
)

// Change is one difference in meaning.
type Change struct {
	Kind   Kind   `json:"kind"`
	Effect Effect `json:"effect"`
	// Source is who gains or loses: NS/SA, a SPIFFE id, Everyone or Outsider; empty
	// where a change is about no caller.
	Source string `json:"source,omitempty"`
	// Ports are the service ports it is about, Services those of which all are.
	Ports    []ir.PortID    `json:"ports,omitempty"`
	Services []ir.ServiceID `json:"services,omitempty"`
	// Namespace is the one a setting holds for; empty: the mesh.
	Namespace string     `json:"namespace,omitempty"`
	Gained    []Requests `json:"gained,omitempty"`
	Lost      []Requests `json:"lost,omitempty"`
	// Text is the change in one sentence, without a stop; Note adds why it matters.
	Text string `json:"text"`
	Note string `json:"note,omitempty"`
	// Causes are the objects that say so.
	Causes []Cause `json:"causes,omitempty"`
}

// Cause is an object behind a change.
type Cause struct {
	Name string `json:"name"` // "TrafficTarget/NS/NAME#ruleN" and the like
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
	Col  int    `json:"-"` // from 1; 0: not known
	// Before: it is of the old side; else of the new one.
	Before bool `json:"before,omitempty"`
}

// Changes are all differences in meaning of two meshes, by kind, source, service.
type Changes []Change

// Widens tells whether anything may be allowed that was not.
func (c Changes) Widens() bool {
	return slices.ContainsFunc(c, func(c Change) bool { return c.Effect.Widens() })
}

// Narrows tells whether anything that was allowed may be no more.
func (c Changes) Narrows() bool {
	return slices.ContainsFunc(c, func(c Change) bool { return c.Effect.Narrows() })
}

// Widening are the changes that may allow more.
func (c Changes) Widening() Changes {
	return slices.DeleteFunc(slices.Clone(c), func(c Change) bool { return !c.Effect.Widens() })
}

// Meshes are the differences in meaning between two meshes. Equal meanings that
// are written differently are none. Neither mesh is altered.
func Meshes(old, new *ir.Mesh) Changes {
	var out Changes
	if old.Settings.TrustDomain != new.Settings.TrustDomain {
		out = append(out, trustDomain(old, new))
		old = moved(old, new.Settings.TrustDomain)
	}
	c := &comparison{old: newSide(old), new: newSide(new), weigher: newWeigher()}
	c.access()
	c.opened()
	c.plaintext()
	c.accounts()
	c.services()
	c.settings()
	c.splits()
	out = append(out, c.out...)
	out.sort()
	return out
}

func (c Changes) sort() {
	slices.SortStableFunc(c, func(a, b Change) int {
		return cmp.Or(
			cmp.Compare(slices.Index(kinds, a.Kind), slices.Index(kinds, b.Kind)),
			cmp.Compare(a.Source, b.Source),
			slices.CompareFunc(a.Ports, b.Ports, ir.PortID.Compare),
			slices.CompareFunc(a.Services, b.Services, ir.ServiceID.Compare),
			cmp.Compare(a.Namespace, b.Namespace),
			cmp.Compare(a.Text, b.Text),
		)
	})
}

// comparison is two meshes while they are compared.
type comparison struct {
	old, new *side
	weigher  *weigher
	out      Changes
}

func (c *comparison) add(change Change) { c.out = append(c.out, change) }

// effect of what was gained and lost; one that is not certain is unknown.
func effect(gained, lost bool, certain bool) Effect {
	switch {
	case !certain:
		return Unknown
	case gained && lost:
		return Both
	case gained:
		return Widened
	case lost:
		return Narrowed
	}
	return Changed
}
