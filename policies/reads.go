package policies

import "github.com/meshc/meshc/policies/sieve"

// outcome is what the rules said of an input, and what they read for it.
type outcome struct {
	answers []answer
	reads   []read
}

// read is an entry of a document, there or not, or all of it.
type read struct {
	document int
	key      string
	all      bool
}

// everything is read by a rule that takes data.mesh as a whole.
const everything = -1

// holds tells whether nothing changed of what was read.
func holds(reads []read, changes []change) bool {
	for _, r := range reads {
		if r.document == everything {
			return false
		}
		c := changes[r.document]
		if len(c) == 0 {
			continue
		}
		if _, other := c[r.key]; other || r.all {
			return false
		}
	}
	return true
}

// maskOf is a bit for a document: most inputs have read none of those that changed.
func maskOf(document int) uint64 { return 1 << (uint(document+1) % 64) }

func masksOf(reads []read) (out uint64) {
	for _, r := range reads {
		out |= maskOf(r.document)
	}
	return out
}

// recorder notes what is read for an input, everything once.
type recorder struct {
	reads []read
	seen  map[read]struct{}
}

func (r *recorder) note(of sieve.Map, key string, all bool) {
	if r == nil {
		return
	}
	one := read{document: everything}
	switch of := of.(type) {
	case *document:
		one = read{of.number, key, all}
	case folder:
		if !all {
			return // the names in it are always the same
		}
	}
	if _, had := r.seen[one]; !had {
		r.seen[one] = struct{}{}
		r.reads = append(r.reads, one)
	}
}

// take gives what was noted, and begins anew.
func (r *recorder) take() []read {
	if r == nil {
		return nil
	}
	out := append([]read(nil), r.reads...)
	r.reads = r.reads[:0]
	clear(r.seen)
	return out
}
