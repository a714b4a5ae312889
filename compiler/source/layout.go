package source

import (
	"slices"
	"sync"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/compiler/diag"
)

// Layout is where the values of a document stand that is written in a simple style. It
// takes a small part of the memory that nodes take, so that it can be kept where these
// are made when they are needed.
type Layout struct {
	text  string
	marks []mark
}

// mark is a node; marks are in the order in which the nodes are written. There are
// many, so a scalar and a collection have the same memory for different things.
type mark struct {
	from  int32 // a scalar: where its value begins in the text; else: how many nodes it holds directly
	to    int32 // a scalar: where its value ends; else: the first mark after it and what it holds
	line  int32
	col   uint16
	kind  uint8 // a yaml.Kind
	style uint8 // a yaml.Style
}

// size is how many nodes a mark holds directly.
func (m *mark) size() int {
	if m.kind == scalarMark {
		return 0
	}
	return int(m.from)
}

const (
	scalarMark   = uint8(yaml.ScalarNode)
	mappingMark  = uint8(yaml.MappingNode)
	sequenceMark = uint8(yaml.SequenceNode)
	flowMark     = uint8(yaml.FlowStyle)
)

// value is the text of a scalar.
func (l *Layout) value(i int) string {
	m := &l.marks[i]
	if m.kind != scalarMark {
		return ""
	}
	return l.text[m.from:m.to]
}

// next is the first mark after one and what it holds.
func (l *Layout) next(i int) int {
	if m := &l.marks[i]; m.kind != scalarMark {
		return int(m.to)
	}
	return i + 1
}

// Nodes makes the nodes of the document.
func (l *Layout) Nodes() *yaml.Node { return (&nodes{}).of(l) }

// nodes is memory for the nodes of a document.
type nodes struct {
	all   []yaml.Node
	below []*yaml.Node
}

var spare = sync.Pool{New: func() any { return &nodes{} }}

// Borrow makes the nodes of the document in memory that is used again once they are
// given back: nothing may hold on to a node then.
func (l *Layout) Borrow() (root *yaml.Node, back func()) {
	n := spare.Get().(*nodes)
	return n.of(l), func() {
		clear(n.all) // whoever has one all the same shall not read another document
		clear(n.below)
		spare.Put(n)
	}
}

func (n *nodes) of(l *Layout) *yaml.Node {
	if cap(n.all) < len(l.marks) {
		n.all, n.below = make([]yaml.Node, len(l.marks)), make([]*yaml.Node, len(l.marks))
	}
	n.all, n.below = n.all[:len(l.marks)], n.below[:len(l.marks)]
	rest := n.below
	for i := range l.marks {
		m, one := &l.marks[i], &n.all[i]
		one.Kind, one.Style, one.Line, one.Column = yaml.Kind(m.kind), yaml.Style(m.style), int(m.line), int(m.col)+1
		switch one.Kind {
		case yaml.ScalarNode:
			one.Value = l.value(i)
			one.Tag = tagOf(one)
			continue
		case yaml.MappingNode:
			one.Tag = "!!map"
		case yaml.SequenceNode:
			one.Tag = "!!seq"
		}
		size := m.size()
		if size == 0 {
			continue
		}
		one.Content, rest = rest[:size:size], rest[size:]
		for k, at := 0, i+1; k < size; k, at = k+1, l.next(at) {
			one.Content[k] = &n.all[at]
		}
	}
	return &n.all[0]
}

// find is Find on the nodes of the layout: the last mark on the way that exists, and
// the key it stands under, -1 for none.
func (l *Layout) find(path []any) (at, key int, left []any) {
	key = -1
	for i, step := range path {
		k, v := l.step(at, step)
		if v < 0 {
			return at, key, path[i:]
		}
		at, key = v, k
	}
	return at, key, nil
}

func (l *Layout) step(at int, step any) (key, value int) {
	m := &l.marks[at]
	below := at + 1
	switch s := step.(type) {
	case string:
		for k := 0; m.kind == mappingMark && k+1 < m.size(); k += 2 {
			if l.value(below) == s {
				return below, below + 1
			}
			below = l.next(below + 1)
		}
	case int:
		if m.kind != sequenceMark || s < 0 || s >= m.size() {
			break
		}
		for range s {
			below = l.next(below)
		}
		return -1, below
	}
	return -1, -1
}

// Fields are the paths, below the value at a path, of the fields of a map, or of those of
// the maps in a list, in the order written; ok is false where there is no such value.
func (l *Layout) Fields(path []any) (fields [][]any, ok bool) {
	at, _, left := l.find(path)
	if len(left) > 0 {
		return nil, false
	}
	m := &l.marks[at]
	if m.kind == mappingMark {
		return l.fields(nil, at), true
	}
	if m.kind == sequenceMark {
		for i, item := 0, at+1; i < m.size(); i, item = i+1, l.next(item) {
			if l.marks[item].kind == mappingMark {
				fields = append(fields, l.fields([]any{i}, item)...)
			}
		}
	}
	return fields, true
}

func (l *Layout) fields(below []any, at int) [][]any {
	m := &l.marks[at]
	out := make([][]any, 0, m.size()/2)
	for k, key := 0, at+1; k+1 < m.size(); k, key = k+2, l.next(key+1) {
		out = append(out, append(slices.Clone(below), l.value(key)))
	}
	return out
}

// Has tells whether there is a value at a path.
func (l *Layout) Has(path []any) bool {
	_, _, left := l.find(path)
	return len(left) == 0
}

// PlaceIn is Place of what Find finds at a path, or of its key.
func (d *Document) PlaceIn(l *Layout, path []any, wantKey bool) diag.Span {
	at, key, left := l.find(path)
	m := &l.marks[at]
	scalar := m.kind == scalarMark
	collection := !scalar && m.style&flowMark == 0
	empty := scalar && m.from == m.to && m.style == 0
	if key >= 0 && (wantKey && len(left) == 0 || collection || empty) {
		at = key
	}
	return d.mark(l, at)
}

// mark is where a node of a layout stands.
func (d *Document) mark(l *Layout, i int) diag.Span {
	m := &l.marks[i]
	s := d.Point(int(m.line), int(m.col)+1)
	s.EndCol = s.Col + d.reach(int(m.line), int(m.col)+1, yaml.Kind(m.kind), yaml.Style(m.style), l.value(i), func() int {
		if m.size() == 0 {
			return 1
		}
		first := d.mark(l, i+1)
		return first.EndCol - first.Col
	})
	return s
}

// tagOf is the tag of a scalar. The full parser tells that of all which is not
// clearly a word or a small number.
func tagOf(n *yaml.Node) string {
	v := n.Value
	if n.Style != 0 {
		return "!!str"
	}
	if v == "" {
		return "!!null"
	}
	switch c := v[0]; {
	case c >= '1' && c <= '9' && len(v) < 10 && digits(v):
		return "!!int"
	case c >= '0' && c <= '9', c == '+', c == '-', c == '.', c == '~':
		return n.ShortTag()
	case (len(v) == 4 || len(v) == 5) && (c|' ' == 't' || c|' ' == 'f' || c|' ' == 'n'): // true, false, null
		return n.ShortTag()
	}
	return "!!str"
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
