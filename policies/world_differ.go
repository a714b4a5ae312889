package policies

import (
	"cmp"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// differ walks over two sorted lists and tells what is in one of them only, with nil
// for the other, and what is not the same in both.
func differ[T any](before, now []T, compare func(a, b *T) int, same func(a, b *T) bool, f func(before, now *T)) {
	for len(before)+len(now) > 0 {
		c := 0
		switch {
		case len(before) == 0:
			c = 1
		case len(now) == 0:
			c = -1
		default:
			c = compare(&before[0], &now[0])
		}
		switch {
		case c < 0:
			f(&before[0], nil)
			before = before[1:]
		case c > 0:
			f(nil, &now[0])
			now = now[1:]
		default:
			if !same(&before[0], &now[0]) {
				f(&before[0], &now[0])
			}
			before, now = before[1:], now[1:]
		}
	}
}

func (m *move) listed(was, now *ir.Identity) {
	if was != nil {
		m.person(*was).listed = false
	} else {
		m.person(*now).listed = true
	}
}

// person is an identity that is to be changed: a copy of what it was.
func (m *move) person(id ir.Identity) *identityIndex {
	name := id.Short()
	if _, touched := m.people[name]; !touched {
		was := m.x.identities[name]
		own := &identityIndex{id: id}
		if was != nil {
			*own = *was
		}
		m.people[name], m.x.identities[name] = was, own
	}
	return m.x.identities[name]
}

func (m *move) service(was, now *ir.Service) {
	if was != nil {
		for _, a := range was.Accounts {
			p := m.person(a)
			p.services = without(p.services, was.ID.String())
		}
		m.see(was.ID.Namespace, -1)
		m.mark("services", was.ID.String())
		delete(m.x.services, was.ID.String())
	}
	if now != nil {
		for _, a := range now.Accounts {
			p := m.person(a)
			p.services = with(p.services, now.ID.String(), compareIDs)
		}
		m.see(now.ID.Namespace, 1)
		m.mark("services", now.ID.String())
		own(m.x.services, now.ID.String(), now)
	}
}

func (m *move) grant(was, now *ir.Grant) {
	if was == nil || now == nil || was.Destination != now.Destination || !equal(was.Sources, now.Sources) {
		if was != nil {
			m.reach(was, func(list []string) []string { return without(list, was.Name) })
		}
		if now != nil {
			m.reach(now, func(list []string) []string { return with(list, now.Name, compareText) })
		}
	}
	if was != nil {
		m.grants[was.Name] = struct{}{}
		m.opened.remove(servicesOf(was), was.Name)
	}
	if now != nil {
		m.grants[now.Name] = struct{}{}
		m.opened.add(servicesOf(now), now.Name)
	}
	if was == nil || now == nil {
		g := cmp.Or(was, now)
		if object, _, ok := strings.Cut(g.Name, "#"); ok {
			r := m.end(object)
			if r.grants = without(r.grants, g.Name); now != nil {
				r.grants = with(r.grants, g.Name, compareText)
			}
			m.mark("references", object)
		}
	}
}

// reach edits the lists of both ends of a grant.
func (m *move) reach(g *ir.Grant, edit func([]string) []string) {
	for _, s := range g.Sources {
		p := m.person(s)
		p.outgoing = edit(p.outgoing)
		m.mark("calls", s.Short())
	}
	p := m.person(g.Destination)
	p.incoming = edit(p.incoming)
}

func (m *move) split(was, now *ir.Split) {
	if was != nil {
		m.rooted.remove([]string{was.Root.String()}, was.Name)
		m.leaves.remove(leavesOf(was), was.Name)
		m.mark("splits", was.Name)
		delete(m.x.splits, was.Name)
	}
	if now != nil {
		m.rooted.add([]string{now.Root.String()}, now.Name)
		m.leaves.add(leavesOf(now), now.Name)
		m.mark("splits", now.Name)
		own(m.x.splits, now.Name, now)
	}
}

func leavesOf(s *ir.Split) []string {
	out := make([]string, len(s.Backends))
	for i, b := range s.Backends {
		out[i] = b.Service.String()
	}
	return out
}

func (m *move) workload(was, now *ir.InventoryWorkload) {
	if was != nil {
		if name := workloadName(was); was.Meshed {
			p := m.person(was.Identity)
			p.workloads = without(p.workloads, name)
		}
		m.mark("workloads", workloadName(was))
		delete(m.x.workloads, workloadName(was))
	}
	if now != nil {
		if name := workloadName(now); now.Meshed {
			p := m.person(now.Identity)
			p.workloads = with(p.workloads, name, compareRunning)
		}
		m.mark("workloads", workloadName(now))
		own(m.x.workloads, workloadName(now), now)
	}
}

// lists is an index of lists whose changes are noted.
type lists struct {
	of     map[string][]string
	before map[string][]string
}

func tracked(of map[string][]string) *lists { return &lists{of, map[string][]string{}} }

func (l *lists) touch(key string) {
	if _, touched := l.before[key]; !touched {
		l.before[key] = l.of[key]
	}
}

func (l *lists) add(keys []string, name string) {
	for _, k := range keys {
		l.touch(k)
		l.of[k] = with(l.of[k], name, compareText)
	}
}

func (l *lists) remove(keys []string, name string) {
	for _, k := range keys {
		l.touch(k)
		l.of[k] = without(l.of[k], name)
	}
}

// settle tells the keys whose lists are others.
func (l *lists) settle(changed func(key string)) {
	for key, was := range l.before {
		if !slices.Equal(was, l.of[key]) {
			changed(key)
		}
		if len(l.of[key]) == 0 {
			delete(l.of, key)
		}
	}
}

// with is a sorted list with one more, in room of its own.
func with(list []string, name string, compare func(a, b string) int) []string {
	i, _ := slices.BinarySearchFunc(list, name, compare)
	return slices.Insert(slices.Clone(list), i, name)
}

// without is a list without one of a name, in room of its own.
func without(list []string, name string) []string {
	i := slices.Index(list, name)
	if i < 0 {
		return list
	}
	return slices.Concat(list[:i], list[i+1:])
}

func compareText(a, b string) int { return strings.Compare(a, b) }

// compareIDs orders namespace/name as the mesh orders services.
func compareIDs(a, b string) int {
	x, n, _ := strings.Cut(a, "/")
	y, o, _ := strings.Cut(b, "/")
	return cmp.Or(strings.Compare(x, y), strings.Compare(n, o))
}

// compareRunning orders Kind/namespace/name as the inventory orders workloads.
func compareRunning(a, b string) int {
	x, n, _ := strings.Cut(a, "/")
	y, o, _ := strings.Cut(b, "/")
	return cmp.Or(compareIDs(n, o), strings.Compare(x, y))
}

func compareWorkloads(a, b *ir.InventoryWorkload) int {
	return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name), strings.Compare(a.Kind, b.Kind))
}

func compareGrants(a, b *ir.Grant) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(string(a.Destination), string(b.Destination)))
}

// lastGrant is the one that an index has of those of a name.
func lastGrant(sorted []ir.Grant, name string) *ir.Grant {
	after, _ := slices.BinarySearchFunc(sorted, name, func(g ir.Grant, name string) int {
		if strings.Compare(g.Name, name) > 0 {
			return 1
		}
		return -1
	})
	if after == 0 || sorted[after-1].Name != name {
		return nil
	}
	return &sorted[after-1]
}

// refText is the name of an object in findings.
func refText(n syntax.Name) string {
	return diag.Object{Kind: n.Kind, Namespace: n.Namespace, Name: n.Name}.String()
}
