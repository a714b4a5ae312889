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

// mark is a node; marks are in the order in which the nodes are written.
type mark struct {
	from, to int32 // of the value in the text
	line     int32
	next     int32 // the first mark after it and what it holds
	size     int32 // how many nodes it holds directly
	col      uint16
	kind     uint8 // a yaml.Kind
	style    uint8 // a yaml.Style
}

const (
	scalarMark   = uint8(yaml.ScalarNode)
	mappingMark  = uint8(yaml.MappingNode)
	sequenceMark = uint8(yaml.SequenceNode)
	flowMark     = uint8(yaml.FlowStyle)
)

func (l *Layout) value(i int) string { return l.text[l.marks[i].from:l.marks[i].to] }

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
		if m.size == 0 {
			continue
		}
		one.Content, rest = rest[:m.size:m.size], rest[m.size:]
		for k, at := 0, i+1; k < int(m.size); k, at = k+1, int(l.marks[at].next) {
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
		for k := int32(0); m.kind == mappingMark && k+1 < m.size; k += 2 {
			if l.value(below) == s {
				return below, below + 1
			}
			below = int(l.marks[below+1].next)
		}
	case int:
		if m.kind != sequenceMark || s < 0 || s >= int(m.size) {
			break
		}
		for range s {
			below = int(l.marks[below].next)
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
		for i, item := 0, at+1; i < int(m.size); i, item = i+1, int(l.marks[item].next) {
			if l.marks[item].kind == mappingMark {
				fields = append(fields, l.fields([]any{i}, item)...)
			}
		}
	}
	return fields, true
}

func (l *Layout) fields(below []any, at int) [][]any {
	m := &l.marks[at]
	out := make([][]any, 0, m.size/2)
	for k, key := int32(0), at+1; k+1 < m.size; k, key = k+2, int(l.marks[key+1].next) {
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
		if m.size == 0 {
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
