package memo

// Table is a function of a key whose values are remembered, or (without a
// function) inputs by key.
type Table[K comparable, V any] struct {
	graph   *Graph
	entries map[K]*entry[K, V]
	values  map[K]V // those of a graph that is asked once
	make    func(K) V
	same    func(a, b V) bool
	gate    int
}

type entry[K comparable, V any] struct {
	cell
	table *Table[K, V]
	key   K
	value V
}

// Func is a table of what make returns. make must depend on nothing but its key
// and what it reads of tables of the graph, and may not read itself. same tells
// that a new value is no other than the old one for whoever reads it; the old one
// is kept then.
func Func[K comparable, V any](g *Graph, same func(a, b V) bool, make func(K) V) *Table[K, V] {
	t := &Table[K, V]{graph: g, make: make, same: same}
	if g.once {
		t.values = map[K]V{}
	} else {
		t.entries = map[K]*entry[K, V]{}
	}
	return t
}

// Gate is a table like those of Func for values that mostly stay the same when what
// they are made of changes: what read them is not even suspected then. For this
// they are made as soon as anything is asked for after a change, wanted or not, so
// make must bear keys that mean nothing any more. level is above that of all gates
// that make reads, directly or through others; the lowest is 1.
func Gate[K comparable, V any](g *Graph, level int, same func(a, b V) bool, make func(K) V) *Table[K, V] {
	t := Func(g, same, make)
	t.gate = level
	return t
}

// Inputs is a table of values that Set gives it; those never set are zero.
func Inputs[K comparable, V any](g *Graph, same func(a, b V) bool) *Table[K, V] {
	return Func[K, V](g, same, nil)
}

// Is is the sameness of values that == compares.
func Is[V comparable](a, b V) bool { return a == b }

// Get is the value of a key, made now if need be. The function under way, if
// any, counts as having read it.
func (t *Table[K, V]) Get(key K) V {
	if t.graph.once {
		return t.kept(key)
	}
	if t.graph.frame == 0 {
		t.graph.settle()
	}
	e := t.entry(key)
	t.graph.ensure(&e.cell)
	t.graph.read(&e.cell)
	return e.value
}

// kept is Get in a graph that is asked once.
func (t *Table[K, V]) kept(key K) V {
	value, ok := t.values[key]
	if !ok && t.make != nil {
		value = t.make(key)
		t.values[key] = value
	}
	return value
}

// Set makes an input another.
func (t *Table[K, V]) Set(key K, value V) {
	if t.graph.once {
		t.values[key] = value
		return
	}
	e := t.entry(key)
	if t.same(e.value, value) {
		return
	}
	t.graph.save(&e.cell)
	t.graph.now++
	e.value, e.changed = value, t.graph.now
	t.graph.suspects(&e.cell)
}

// Peek is the value an input has, read by nobody.
func (t *Table[K, V]) Peek(key K) V {
	if e, ok := t.entries[key]; ok {
		return e.value
	}
	if value, ok := t.values[key]; ok {
		return value
	}
	var none V
	return none
}

func (t *Table[K, V]) entry(key K) *entry[K, V] {
	if e, ok := t.entries[key]; ok {
		return e
	}
	e := &entry[K, V]{table: t, key: key}
	e.cell = cell{owner: e, unmade: t.make != nil, gate: t.gate}
	t.entries[key] = e
	if t.graph.tentative {
		t.graph.changes = append(t.graph.changes, change{c: &e.cell})
	}
	return e
}

func (e *entry[K, V]) run() bool {
	value := e.table.make(e.key)
	if !e.unmade && e.table.same(e.value, value) {
		return false
	}
	e.value = value
	return true
}

func (e *entry[K, V]) keep() func() {
	value := e.value
	return func() { e.value = value }
}

func (e *entry[K, V]) spare() bool {
	var none V
	return e.table.make != nil || e.table.same(e.value, none)
}

func (e *entry[K, V]) forget() { delete(e.table.entries, e.key) }
