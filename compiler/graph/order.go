package graph

import (
	"cmp"
	"slices"
)

// sweeps is how often the order of the layers is improved, each way.
const sweeps = 6

// order puts the vertices of each layer near what they are tied to: the mean
// place of their neighbours in the layers before, then in those after, in turn.
func (l *layering) order() {
	place := make([]float64, len(l.layer))
	number := func(layer []int) {
		for i, v := range layer {
			place[v] = (float64(i) + 0.5) / float64(len(layer))
		}
	}
	for _, layer := range l.layers {
		slices.SortStableFunc(layer, func(a, b int) int { return cmp.Compare(l.home(a), l.home(b)) })
		number(layer)
	}
	for range sweeps {
		for _, layer := range l.layers {
			l.sort(layer, place, l.in)
			number(layer)
		}
		for _, layer := range slices.Backward(l.layers) {
			l.sort(layer, place, l.out)
			number(layer)
		}
	}
}

// home keeps namespaces together at the start.
func (l *layering) home(v int) string {
	if v >= len(l.g.Nodes) {
		return "\xff"
	}
	return l.g.Nodes[v].Namespace + "/" + l.g.Nodes[v].Name
}

func (l *layering) sort(layer []int, place []float64, tied [][]int) {
	want := make(map[int]float64, len(layer))
	for _, v := range layer {
		want[v] = place[v]
		if len(tied[v]) > 0 {
			want[v] = mean(tied[v], place)
		}
	}
	slices.SortStableFunc(layer, func(a, b int) int { return cmp.Compare(want[a], want[b]) })
}

func mean(of []int, place []float64) float64 {
	sum := 0.0
	for _, v := range of {
		sum += place[v]
	}
	return sum / float64(len(of))
}

// place gives everything its coordinates.
func (l *layering) place() *Drawing {
	d := &Drawing{Graph: l.g, Boxes: make([]Box, len(l.g.Nodes)), Lines: make([][]Dot, len(l.g.Edges))}
	boxes := make([]Box, len(l.layer))
	width := l.fold
	if width == 0 {
		width = max(len(l.layers), 1)
	}
	top := margin
	for at := 0; at < len(l.layers); at += width {
		top = l.band(l.layers[at:min(at+width, len(l.layers))], top, boxes) + 2*nodeHeight
	}
	for _, b := range boxes {
		d.Width, d.Height = max(d.Width, b.X+b.W+margin), max(d.Height, b.Y+b.H+margin)
	}
	d.Width, d.Height = max(d.Width, 2*margin), max(d.Height, 2*margin)
	copy(d.Boxes, boxes)
	for i := range l.ends {
		d.Lines[i] = l.line(i, boxes)
	}
	return d
}

// band places layers side by side below top, and gives where it ends.
func (l *layering) band(layers [][]int, top float64, boxes []Box) float64 {
	tallest := 0.0
	for _, layer := range layers {
		tallest = max(tallest, l.height(layer))
	}
	x := margin
	for _, layer := range layers {
		wide := 0.0
		for _, v := range layer {
			boxes[v].W, boxes[v].H = l.size(v)
			wide = max(wide, boxes[v].W)
		}
		y := top + (tallest-l.height(layer))/2
		for _, v := range layer {
			boxes[v].X, boxes[v].Y = x+(wide-boxes[v].W)/2, y
			y += boxes[v].H + rowGap
		}
		x += wide + layerGap
	}
	l.align(layers, top, top+tallest, boxes)
	return top + tallest
}

func (l *layering) height(layer []int) float64 {
	sum := -rowGap
	for _, v := range layer {
		_, h := l.size(v)
		sum += h + rowGap
	}
	return sum
}

// size of a vertex; a bend is a line's width.
func (l *layering) size(v int) (w, h float64) {
	if v >= len(l.g.Nodes) {
		return 1, 4
	}
	n := l.g.Nodes[v]
	chars := max(len([]rune(short(n.Name))), len([]rune(short(n.Subtitle()))), 6)
	return float64(chars)*charWidth + 28, nodeHeight
}

// align moves the vertices of a layer towards the middle of what they are tied to,
// as far as their order and the band leave room.
func (l *layering) align(layers [][]int, top, bottom float64, boxes []Box) {
	middle := func(of []int) (float64, bool) {
		sum, n := 0.0, 0
		for _, v := range of {
			if boxes[v].Y >= top && boxes[v].Y <= bottom {
				sum, n = sum+boxes[v].Y+boxes[v].H/2, n+1
			}
		}
		return sum / float64(max(n, 1)), n > 0
	}
	move := func(layer []int, tied [][]int) {
		floor := bottom
		var room []float64 // how far down each may go
		for _, v := range slices.Backward(layer) {
			floor -= boxes[v].H
			room = append(room, floor)
			floor -= rowGap
		}
		least := top
		for i, v := range layer {
			y := boxes[v].Y
			if m, ok := middle(tied[v]); ok {
				y = m - boxes[v].H/2
			}
			boxes[v].Y = min(max(y, least), room[len(layer)-1-i])
			least = boxes[v].Y + boxes[v].H + rowGap
		}
	}
	for range 3 {
		for _, layer := range layers {
			move(layer, l.in)
		}
		for _, layer := range slices.Backward(layers) {
			move(layer, l.out)
		}
	}
}

// line is an edge from its first end to its second, around what lies between.
func (l *layering) line(i int, boxes []Box) []Dot {
	from, to := boxes[l.ends[i][0]], boxes[l.ends[i][1]]
	left := func(b Box) Dot { return Dot{b.X, b.Y + b.H/2} }
	right := func(b Box) Dot { return Dot{b.X + b.W, b.Y + b.H/2} }
	if l.layer[l.ends[i][0]] <= l.layer[l.ends[i][1]] {
		out := []Dot{right(from)}
		for _, v := range l.bends[i] {
			out = append(out, left(boxes[v]))
		}
		return append(out, left(to))
	}
	out := []Dot{left(from)}
	for _, v := range slices.Backward(l.bends[i]) {
		out = append(out, left(boxes[v]))
	}
	return append(out, right(to))
}
