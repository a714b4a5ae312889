package sieve

// Elements remembers of which elements of a map nothing was found, for a rule that
// walks over one. What it is told to have been read for an element must be the same
// for as long as it has it.
type Elements interface {
	// Has tells whether the n-th definition is known to find nothing of an element.
	Has(n int, key string) bool
	// Nothing is told that it found nothing, and what it read for that.
	Nothing(n int, key string, reads []Read)
}

// Read is an entry of a map, there or not, or all of it.
type Read struct {
	Of  Map
	Key string
	All bool
}

// overElements takes the elements that a definition walks over first, one by one,
// but for those of which nothing is found. ok: it begins with such a walk.
func (m *Machine) overElements(n int, d *def, known Elements) (may, ok bool) {
	if len(d.body) == 0 || known == nil {
		return false, false
	}
	w, ok := d.body[0].(*walk)
	if !ok || len(w.hops) == 0 || w.hops[0].key != nil {
		return false, false
	}
	f := m.frame(d.slots)
	of, ok := w.from.eval(m, f).(Map)
	if !ok || m.gaveUp {
		return m.gaveUp, m.gaveUp
	}
	m.note(of, "", true)
	defer func() { m.logs = false }()
	for _, key := range of.Keys() {
		if known.Has(n, key) {
			continue
		}
		if m.left--; m.left < 0 {
			return true, true
		}
		m.logs, m.log = true, m.log[:0]
		item := m.read(of, key)
		f[w.hops[0].slot] = key
		found := false
		w.step(m, f, 1, item, func(f []any) bool {
			return d.body.run(m, f, 1, func([]any) bool { found = true; return true })
		})
		if found || m.gaveUp {
			return true, true
		}
		known.Nothing(n, key, m.log)
	}
	return false, true
}
