package graph

import (
	"math"
	"slices"
)

// Sizes of the drawing, in units of SVG.
const (
	nodeHeight = 40.0
	rowGap     = 18.0
	layerGap   = 90.0
	margin     = 24.0
	charWidth  = 7.3 // of 12px monospace, from above
	longestTag = 38  // characters of a label; the whole one is in the title
	aspect     = 1.6 // width to height that a large drawing is folded to
)

// Drawing is a graph with places. Coordinates grow to the right and down.
type Drawing struct {
	*Graph
	Width, Height float64
	Boxes         []Box   // one a node, in their order
	Lines         [][]Dot // one an edge, in their order: from, bends, to
}

// Box is where a node lies.
type Box struct{ X, Y, W, H float64 }

// Dot is a point.
type Dot struct{ X, Y float64 }

// Layout places a graph in layers, callers left of what they call: cycles are
// broken, each node stands behind all that lead to it, nodes of a layer are ordered
// by what they are tied to so that lines cross seldom, and a drawing that would be
// a long strip is folded into bands.
func (g *Graph) Layout() *Drawing {
	l := newLayering(g)
	l.rank()
	l.fold = l.bandWidth()
	if l.fold == 0 {
		l.bend()
	}
	l.order()
	return l.place()
}

// layering is a graph while it is placed. Vertices are nodes, then bends.
type layering struct {
	g       *Graph
	out, in [][]int // neighbours, from left to right once rank is done
	layer   []int
	layers  [][]int
	bends   [][]int // an edge's bends, from its left end to its right one
	ends    [][2]int
	fold    int // layers in a band; 0: not folded
}

func newLayering(g *Graph) *layering {
	l := &layering{g: g, out: make([][]int, len(g.Nodes)), in: make([][]int, len(g.Nodes))}
	at := map[string]int{}
	for i, n := range g.Nodes {
		at[n.ID] = i
	}
	for _, e := range g.Edges {
		l.ends = append(l.ends, [2]int{at[e.From], at[e.To]})
	}
	l.bends = make([][]int, len(g.Edges))
	return l
}

// rank breaks cycles and gives each vertex the layer behind its last caller.
func (l *layering) rank() {
	next := make([][]int, len(l.g.Nodes))
	for _, e := range l.ends {
		if e[0] != e[1] {
			next[e[0]] = append(next[e[0]], e[1])
		}
	}
	order := finished(next)
	position := make([]int, len(order))
	for i, v := range order {
		position[v] = i
	}
	for _, e := range l.ends {
		from, to := e[0], e[1]
		if from == to {
			continue
		}
		if position[from] > position[to] { // against the order: drawn backwards
			from, to = to, from
		}
		l.out[from], l.in[to] = append(l.out[from], to), append(l.in[to], from)
	}
	l.layer = make([]int, len(l.g.Nodes))
	for _, v := range order {
		for _, to := range l.out[v] {
			l.layer[to] = max(l.layer[to], l.layer[v]+1)
		}
	}
	for _, v := range slices.Backward(order) { // who is called late may stand late
		if len(l.in[v]) == 0 && len(l.out[v]) > 0 {
			nearest := math.MaxInt
			for _, to := range l.out[v] {
				nearest = min(nearest, l.layer[to])
			}
			l.layer[v] = nearest - 1
		}
	}
	l.group()
}

// finished is an order in which every edge that closes no cycle leads forwards:
// vertices by when a depth-first walk is done with them, last first. Walks start
// where nothing leads to.
func finished(next [][]int) []int {
	called := make([]bool, len(next))
	for _, to := range next {
		for _, v := range to {
			called[v] = true
		}
	}
	var order []int
	seen := make([]bool, len(next))
	type frame struct{ v, i int }
	walk := func(root int) {
		stack := []frame{{root, 0}}
		seen[root] = true
		for len(stack) > 0 { // a stack of its own: chains may be long
			top := &stack[len(stack)-1]
			if top.i == len(next[top.v]) {
				order, stack = append(order, top.v), stack[:len(stack)-1]
				continue
			}
			v := next[top.v][top.i]
			top.i++
			if !seen[v] {
				seen[v] = true
				stack = append(stack, frame{v, 0})
			}
		}
	}
	for _, first := range []bool{true, false} {
		for v := range next {
			if !seen[v] && (!first || !called[v]) {
				walk(v)
			}
		}
	}
	slices.Reverse(order)
	return order
}

func (l *layering) group() {
	deepest := 0
	for _, at := range l.layer {
		deepest = max(deepest, at+1)
	}
	l.layers = make([][]int, deepest)
	for v, at := range l.layer {
		l.layers[at] = append(l.layers[at], v)
	}
}

// mostLayers is how many layers stand side by side before a drawing is folded.
const mostLayers = 14

// bandWidth is how many layers a band has; 0 for all.
func (l *layering) bandWidth() int {
	if len(l.layers) <= mostLayers {
		return 0
	}
	tall := func(from, to int) float64 {
		most := 0
		for _, layer := range l.layers[from:min(to, len(l.layers))] {
			most = max(most, len(layer))
		}
		return float64(most) * (nodeHeight + rowGap)
	}
	best, how := math.Inf(1), mostLayers
	for width := 4; width <= len(l.layers); width++ {
		height := 0.0
		for at := 0; at < len(l.layers); at += width {
			height += tall(at, at+width)
		}
		if off := math.Abs(math.Log(float64(width) * (nodeHeight*5 + layerGap) / height / aspect)); off < best {
			best, how = off, width
		}
	}
	return how
}

// mostBends is how many bends are worth their cost.
const mostBends = 4000

// bend gives each edge over several layers a place in every layer between, so
// that it goes around the nodes there.
func (l *layering) bend() {
	count := 0
	for _, e := range l.ends {
		count += max(0, abs(l.layer[e[0]]-l.layer[e[1]])-1)
	}
	if count > mostBends {
		return
	}
	for i, e := range l.ends {
		from, to := e[0], e[1]
		if l.layer[from] > l.layer[to] {
			from, to = to, from
		}
		last := from
		for at := l.layer[from] + 1; at < l.layer[to]; at++ {
			v := len(l.layer)
			l.layer = append(l.layer, at)
			l.layers[at] = append(l.layers[at], v)
			l.out, l.in = append(l.out, nil), append(l.in, []int{last})
			l.out[last] = append(l.out[last], v)
			l.bends[i] = append(l.bends[i], v)
			last = v
		}
		if last != from {
			l.in[to], l.out[last] = append(l.in[to], last), append(l.out[last], to)
		}
	}
}

func abs(n int) int { return max(n, -n) }
