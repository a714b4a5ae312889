package resolve

import (
	"cmp"
	"slices"
	"time"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
)

// Kinds of facts.
const (
	factService   = "service"
	factAccount   = "account"
	factRole      = "role"
	factNamespace = "namespace"
	factAbsent    = "absent"
)

// Used is what a run asked of known facts: what meshc.lock must hold.
type Used struct {
	// Facts of the lock that were read, sorted; absences too. Facts of `assume:` are not among them.
	Facts []ir.Fact
	// Unknown is what was asked for and nobody knew, as absences, sorted: what a
	// complete export lets a lock say is absent.
	Unknown []ir.Fact
}

// question is one thing that was asked of known facts.
type question struct{ of, namespace, name string }

func questionOf(f ir.Fact) question {
	of := f.Kind
	if f.Kind == factAbsent {
		of = f.Of
	}
	return question{of, f.Namespace, f.Name}
}

// knowledge answers what no manifest shows: from the lock first, then from
// assumptions.
type knowledge struct {
	facts   map[question]*ir.Fact
	roles   map[question][]*ir.Fact // of an account
	list    []*ir.Fact              // services, sorted
	assumed map[*ir.Fact]bool

	// Of services, by what they say; settle fills these.
	backers  map[ir.Identity]*ir.Fact // the first that names the account
	behind   map[ir.Identity][]ir.ServiceID
	inPlace  map[string][]*ir.Fact // by namespace
	accounts map[*ir.Fact][]ir.Identity
	clients  map[string][]*ir.Fact // roles that back no service, by namespace
	places   []string              // namespaces of services and of the accounts behind them, sorted
}

func newKnowledge(lock ir.Known, assume []ir.Fact) *knowledge {
	k := &knowledge{
		facts: map[question]*ir.Fact{}, roles: map[question][]*ir.Fact{}, assumed: map[*ir.Fact]bool{},
		backers: map[ir.Identity]*ir.Fact{}, behind: map[ir.Identity][]ir.ServiceID{},
		inPlace: map[string][]*ir.Fact{}, clients: map[string][]*ir.Fact{}, accounts: map[*ir.Fact][]ir.Identity{},
	}
	for _, f := range lock.Facts {
		k.add(f, false)
	}
	for _, f := range assume {
		k.add(f, true)
	}
	slices.SortFunc(k.list, func(a, b *ir.Fact) int { return compareFacts(*a, *b) })
	return k
}

// settle indexes the services by the accounts behind them. home takes an identity
// apart.
func (k *knowledge) settle(trustDomain string, home func(ir.Identity) (accountName, bool)) {
	for _, f := range k.list {
		k.places = append(k.places, f.Namespace)
		id := ir.ServiceID{Namespace: f.Namespace, Name: f.Name}
		k.inPlace[f.Namespace] = append(k.inPlace[f.Namespace], f)
		k.accounts[f] = factAccounts(f, trustDomain)
		for _, account := range k.accounts[f] {
			if k.backers[account] == nil {
				k.backers[account] = f
			}
			k.behind[account] = append(k.behind[account], id)
			at, _ := home(account)
			k.places = append(k.places, at.namespace)
		}
	}
	slices.Sort(k.places)
	k.places = slices.Compact(k.places)
}

func (k *knowledge) add(f ir.Fact, assumed bool) {
	fact := &f
	q := questionOf(f)
	if f.Kind == factRole {
		k.roles[q] = append(k.roles[q], fact)
		k.assumed[fact] = assumed
		if len(f.Services) == 0 {
			k.clients[f.Namespace] = append(k.clients[f.Namespace], fact)
		}
		return
	}
	old, dup := k.facts[q]
	if dup && (old.Kind != factAbsent || !assumed) {
		return // the lock goes before assumptions, which may fill its absences
	}
	k.facts[q], k.assumed[fact] = fact, assumed
	if f.Kind == factService {
		k.list = append(k.list, fact)
	}
}

// peek finds a fact without resting anything on it.
func (k *knowledge) peek(of, namespace, name string) *ir.Fact {
	if f := k.facts[question{of, namespace, name}]; f != nil && f.Kind != factAbsent {
		return f
	}
	return nil
}

// knownRoles are the known combinations of services that one workload of the
// account backs.
func (r *resolver) knownRoles(a accountName) [][]ir.ServiceID {
	var out [][]ir.ServiceID
	for _, f := range r.known.roles[question{factRole, a.namespace, a.name}] {
		r.out.read = append(r.out.read, f)
		var ids []ir.ServiceID
		for _, s := range f.Services {
			if id, ok := parseServiceID(s); ok {
				ids = append(ids, id)
			}
		}
		slices.SortFunc(ids, ir.ServiceID.Compare)
		out = append(out, slices.Compact(ids))
	}
	return out
}

// used is what functions have asked, each fact and each question once.
func (k *knowledge) used(read map[*ir.Fact]bool, missed map[question]bool) Used {
	var u Used
	for f := range read {
		if !k.assumed[f] {
			u.Facts = append(u.Facts, *f)
		}
	}
	for q := range missed {
		u.Unknown = append(u.Unknown, ir.Fact{Kind: factAbsent, Of: q.of, Namespace: q.namespace, Name: q.name})
	}
	slices.SortFunc(u.Facts, compareFacts)
	slices.SortFunc(u.Unknown, compareFacts)
	return u
}

// compareFacts orders as the lock's lines are ordered.
func compareFacts(a, b ir.Fact) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Of, b.Of), cmp.Compare(a.Namespace, b.Namespace),
		cmp.Compare(a.Name, b.Name), slices.Compare(a.Services, b.Services))
}

// meshed tells what a fact says of its workloads; nothing said is yes.
func meshed(f *ir.Fact) bool { return f.Meshed == nil || *f.Meshed }

// checkAssumptions finds assumptions without a day on which they end, and ended ones.
func (r *resolver) checkAssumptions(assume []ir.Fact) {
	for _, f := range assume {
		if f.Until == "" {
			r.report(diag.New("MSH0205", f.At, "the assumption about %s has no `until`", factTitle(f)).
				WithHelp("say until which day it may be believed: `until: YYYY-MM-DD`"))
			continue
		}
		day, err := time.Parse(time.DateOnly, f.Until)
		if err != nil {
			continue // decoding has said so
		}
		// The day itself still counts.
		if !r.opts.Now.IsZero() && !r.opts.Now.Before(day.AddDate(0, 0, 1)) {
			r.report(diag.New("MSH0204", f.At, "the assumption about %s ended on %s", factTitle(f), f.Until).
				WithEffect("the policy rests on something that nobody has looked at since").
				WithHelp("pin it with `meshc lock --update --from EXPORT`, or look again and move the day"))
		}
	}
}

// factTitle names what a fact is about: service bookstore/bookstore.
func factTitle(f ir.Fact) string {
	q := questionOf(f)
	if q.namespace == "" {
		return q.of + " " + q.name
	}
	return q.of + " " + q.namespace + "/" + q.name
}

// howToKnow is the help of every finding about something nobody knows (row 51).
const howToKnow = "add its manifest to the sources, pin it with `meshc lock --update --from EXPORT`, or declare it under `assume` in meshc.yaml"
