// Package contract is the lock turned round: for each fact that a policy relies
// on, the lines of the policy that rely on it, one contract a namespace. Of makes
// contracts of a policy that compiled; Read takes them from files; Check holds
// what an application's manifests show against them and tells what would break or
// widen. It knows no folders, no Git and no Envoy.
package contract

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// Contract is what a policy relies on in one namespace.
type Contract struct {
	Namespace         string
	Mesh, TrustDomain string
	Environment       string  // of the policy's meshc.yaml that it is about; empty: of none
	Mode              ir.Mode // of the namespace's workloads as destinations
	Facts             []Fact  // in order of their text, each once
	At                diag.Span
}

// Fact is one thing that was so when the policy was locked.
type Fact struct {
	Kind            string // one of the kinds below
	Namespace, Name string // of a service, an account; a namespace has only a Name
	Port            uint16 // of a port; of what is opened: 0 is any
	Protocol        ir.Protocol
	Target          string            // of a port: a number or a container port's name
	Plaintext       bool              // of a port
	Headless        bool              // of a service
	Outside         bool              // of a service or an account
	Account         string            // of behind: NAMESPACE/SERVICEACCOUNT or a SPIFFE id
	Services        []ir.ServiceID    // of a role, or the backends of a split; sorted
	Labels          map[string]string // of a namespace
	Readers         []Reader          // in order of file and line
	At              diag.Span         // in the contract
}

// The kinds of facts.
const (
	kindAbsent    = "absent"    // no service of the name
	kindAccount   = "account"   // it exists
	kindBehind    = "behind"    // the account runs behind the service
	kindNamespace = "namespace" // its labels of the mesh
	kindOpened    = "opened"    // ports of any service behind the account that grants open
	kindPort      = "port"
	kindRole      = "role" // services that one workload of the account backs together
	kindService   = "service"
	kindSplit     = "split" // a service whose calls go to others
)

func (c *Contract) title() string {
	if c.Environment != "" {
		return "namespace " + quote(c.Namespace) + " in environment " + quote(c.Environment)
	}
	return "namespace " + quote(c.Namespace)
}

// Reader is a line of the policy that relies on a fact.
type Reader struct {
	File   string // in the policy's repository, with slashes
	Line   int
	Object string // Kind/NAMESPACE/NAME
	Effect string // what holds by it, in mesh terms
}

// Where is FILE:LINE.
func (r Reader) Where() string { return r.File + ":" + strconv.Itoa(r.Line) }

func compareReaders(a, b Reader) int {
	return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Object, b.Object), cmp.Compare(a.Effect, b.Effect))
}

func (f Fact) service() ir.ServiceID { return ir.ServiceID{Namespace: f.Namespace, Name: f.Name} }

// account is the short name of the account a fact is about.
func (f Fact) account() string { return f.Namespace + "/" + f.Name }

func (f Fact) portID() ir.PortID { return ir.PortID{Service: f.service(), Port: f.Port} }

// class is what matters of a protocol to a policy: ports of one class carry the
// same grants.
func class(p ir.Protocol) string {
	switch {
	case p.IsHTTP():
		return "http"
	case p == ir.UDP:
		return "udp"
	}
	return "tcp"
}

// of lists the facts of a kind.
func (c *Contract) of(kind string) []Fact {
	var out []Fact
	for _, f := range c.Facts {
		if f.Kind == kind {
			out = append(out, f)
		}
	}
	return out
}

// Read takes the contracts out of decoded files, each fact understood. What
// cannot be believed is a finding: part of a contract would look as if the rest
// of the namespace did not matter.
func Read(files *syntax.Files) ([]*Contract, diag.List) {
	var out []*Contract
	var found diag.List
	for _, w := range files.Contracts {
		c, faults := read(w)
		found.Add(faults...)
		first := slices.IndexFunc(out, func(o *Contract) bool { return o.Namespace == c.Namespace && o.Environment == c.Environment })
		if first >= 0 {
			found.Add(diag.New("MSH0362", c.At, "there is another contract of %s", c.title()).
				WithRelated(out[first].At, "this one counts").WithEffect("this one is not looked at").
				WithHelp("keep the one that `meshc lock --contract` wrote last"))
			continue
		}
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b *Contract) int {
		return cmp.Or(strings.Compare(a.Environment, b.Environment), strings.Compare(a.Namespace, b.Namespace))
	})
	return out, found.Sorted()
}

const writeAnew = "write it anew in the policy's repository with `meshc lock --contract`"

func read(w *syntax.Contract) (*Contract, diag.List) {
	c := &Contract{Namespace: w.Namespace, Mesh: w.Mesh, TrustDomain: w.TrustDomain, Environment: w.Environment, Mode: ir.Mode(w.Mode), At: w.Object.At("metadata", "name")}
	var found diag.List
	if !w.Complete {
		found.Add(diag.New("MSH0361", w.Object.At("metadata", "name"), "the contract of namespace %q does not end with `complete: true`", w.Namespace).
			WithEffect("it may be cut off: what is missing would break unseen").WithHelp(writeAnew))
	}
	first := map[string]Fact{}
	for _, one := range w.Facts {
		f, err := parseFact(one.Fact)
		if err != nil {
			found.Add(diag.New("MSH0360", one.At, "%s", err).WithEffect("changes of it are not seen").WithHelp(writeAnew))
			continue
		}
		f.At = one.At
		if ns := f.home(); ns != c.Namespace {
			found.Add(diag.New("MSH0360", one.At, "the fact is about namespace %q, the contract about %q", ns, c.Namespace).
				WithEffect("changes of it are not seen").WithHelp(writeAnew))
			continue
		}
		if old, twice := first[f.about()]; twice {
			found.Add(diag.New("MSH0360", one.At, "a second fact about %s", f.about()).WithRelated(old.At, "the first one").
				WithEffect("the first one counts").WithHelp(writeAnew))
			continue
		}
		first[f.about()] = f
		for _, r := range one.Readers {
			f.Readers = append(f.Readers, parseReader(r))
		}
		c.Facts = append(c.Facts, f)
	}
	return c, found
}

// parseReader takes FILE:LINE apart; a line that is no number is 0.
func parseReader(r syntax.ContractReader) Reader {
	out := Reader{File: r.Line, Object: r.Object, Effect: r.Effect}
	if i := strings.LastIndexByte(r.Line, ':'); i > 0 {
		if n, err := strconv.Atoi(r.Line[i+1:]); err == nil && n > 0 {
			out.File, out.Line = r.Line[:i], n
		}
	}
	return out
}
