package graph

import "slices"

// Filter says which part of a graph is wanted; the zero value wants all of it.
type Filter struct {
	// Namespaces keeps what lies in one of them, and what it is tied to directly.
	Namespaces []string
	// Identities keeps, of node IDs, what they may reach and who may reach them,
	// over at most Depth calls; 0 is any number.
	Identities []string
	Depth      int
}

// Only is the part of a graph that a filter wants.
func (g *Graph) Only(f Filter) *Graph {
	out := g
	if len(f.Identities) > 0 {
		out = out.around(f.Identities, f.Depth)
	}
	if len(f.Namespaces) > 0 {
		out = out.of(f.Namespaces)
	}
	return out
}

// of keeps the nodes of namespaces, the edges that touch them, and these edges' ends.
func (g *Graph) of(namespaces []string) *Graph {
	inside, keep := map[string]bool{}, map[string]bool{}
	for _, n := range g.Nodes {
		if slices.Contains(namespaces, n.Namespace) {
			inside[n.ID], keep[n.ID] = true, true
		}
	}
	for _, e := range g.Edges {
		if inside[e.From] || inside[e.To] {
			keep[e.From], keep[e.To] = true, true
		}
	}
	return g.part(keep, func(e Edge) bool { return inside[e.From] || inside[e.To] })
}

// around keeps what lies on a way of at most depth calls from or to the starts.
func (g *Graph) around(starts []string, depth int) *Graph {
	keep := map[string]bool{}
	edges := map[[2]string]bool{}
	for _, back := range []bool{false, true} {
		for id := range g.within(starts, depth, back, edges) {
			keep[id] = true
		}
	}
	return g.part(keep, func(e Edge) bool { return edges[[2]string{e.From, e.To}] })
}

// within are the nodes that lie at most depth grants away, along the edges or
// against them. A service's account and its split's leaves cost nothing. The edges
// that were walked are noted.
func (g *Graph) within(starts []string, depth int, back bool, walked map[[2]string]bool) map[string]int {
	next := map[string][]Edge{}
	for _, e := range g.Edges {
		at := e.From
		if back {
			at = e.To
		}
		next[at] = append(next[at], e)
	}
	dist := map[string]int{}
	ring := slices.Clone(starts)
	for _, s := range ring {
		dist[s] = 0
	}
	for calls := 0; len(ring) > 0; calls++ {
		var later []string
		for i := 0; i < len(ring); i++ { // ring grows by what costs nothing
			for _, e := range next[ring[i]] {
				to := e.To
				if back {
					to = e.From
				}
				cost := 0
				if e.Kind == Grant {
					cost = 1
				}
				if depth > 0 && calls+cost > depth {
					continue
				}
				walked[[2]string{e.From, e.To}] = true
				if d, seen := dist[to]; seen && d <= calls+cost {
					continue
				}
				dist[to] = calls + cost
				if cost == 0 {
					ring = append(ring, to)
				} else {
					later = append(later, to)
				}
			}
		}
		ring = later
	}
	return dist
}

func (g *Graph) part(keep map[string]bool, edge func(Edge) bool) *Graph {
	out := &Graph{Mesh: g.Mesh, Nodes: []Node{}, Edges: []Edge{}}
	for _, n := range g.Nodes {
		if keep[n.ID] {
			out.Nodes = append(out.Nodes, n)
		}
	}
	for _, e := range g.Edges {
		if keep[e.From] && keep[e.To] && edge(e) {
			out.Edges = append(out.Edges, e)
		}
	}
	return out
}
