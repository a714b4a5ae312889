package graph

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/meshc/meshc/compiler/ir"
)

func portText(p ir.Port) string { return strconv.Itoa(int(p.Number)) + " " + string(p.Protocol) }

// grant draws an edge from each source to each service that is opened.
func (b *builder) grant(g *ir.Grant) {
	c := b.cause(g.Name)
	for _, m := range g.HTTP {
		c.Requests = append(c.Requests, m.String())
	}
	byService := map[ir.ServiceID][]uint16{}
	var order []ir.ServiceID
	for _, p := range g.Ports {
		if byService[p.Service] == nil {
			order = append(order, p.Service)
		}
		byService[p.Service] = append(byService[p.Service], p.Port)
	}
	for _, source := range g.Sources {
		from := b.identity(source)
		for _, svc := range order {
			e := b.edge(from, ServiceID(svc), Grant)
			c.Ports = byService[svc]
			e.Causes = append(e.Causes, c)
		}
	}
}

// split draws an edge from the root to each backend. What a root keeps for itself
// is an edge to itself.
func (b *builder) split(sp *ir.Split) {
	total := uint64(0)
	for _, leaf := range sp.Backends {
		total += uint64(leaf.Weight)
	}
	c := b.cause(sp.Name)
	for _, m := range sp.Matches {
		c.Requests = append(c.Requests, m.String())
	}
	for _, leaf := range sp.Backends {
		if leaf.Missing {
			b.add(Node{ID: ServiceID(leaf.Service), Kind: Service, Namespace: leaf.Service.Namespace, Name: leaf.Service.Name, Missing: true}, "")
		}
		e := b.edge(ServiceID(sp.Root), ServiceID(leaf.Service), Split)
		percent := fmt.Sprintf("%.4g%%", 100*float64(leaf.Weight)/float64(max(total, 1)))
		if e.Percent != "" {
			percent = e.Percent + ", " + percent // of another split of the same root
		}
		e.Percent = percent
		e.Causes = append(e.Causes, c)
	}
}

// Label is an edge in a few words: of a grant what may be asked, of a split its share.
func (e Edge) Label() string {
	switch e.Kind {
	case Split:
		return e.Percent
	case Runs:
		return "run by"
	}
	var all []string
	for _, c := range e.Causes {
		if len(c.Requests) == 0 {
			all = append(all, "any request")
		}
		all = append(all, c.Requests...)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	label := all[0]
	if len(all) > 1 {
		label += fmt.Sprintf(" and %d more", len(all)-1)
	}
	return label
}
