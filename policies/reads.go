package policies

import (
	"slices"

	"github.com/meshc/meshc/policies/sieve"
)

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

// readOf is what reading something means. The names in a folder are always the same.
func readOf(of sieve.Map, key string, all bool) (r read, ok bool) {
	switch of := of.(type) {
	case *document:
		if all {
			return read{document: of.number, all: true}, true
		}
		return read{document: of.number, key: key}, true
	case folder:
		return read{document: everything}, all
	}
	return read{document: everything}, true
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
	one, ok := readOf(of, key, all)
	if !ok {
		return
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

// elements is of which elements of a document a rule is known to find nothing, by
// definition of the rule and key.
type elements struct {
	of   []map[string]*dependent
	news []*dependent // that the session has not taken up
}

// elements are those of the input's session.
func (u unit) elements() sieve.Elements {
	if u.known == nil {
		return nil
	}
	return u.known
}

// Has tells whether nothing is found of an element.
func (e *elements) Has(n int, key string) bool {
	if n >= len(e.of) {
		return false
	}
	_, ok := e.of[n][key]
	return ok
}

// Nothing takes an element of which nothing was found.
func (e *elements) Nothing(n int, key string, reads []sieve.Read) {
	if e.Has(n, key) {
		return
	}
	for n >= len(e.of) {
		e.of = append(e.of, map[string]*dependent{})
	}
	own := &dependent{element: true, n: n, key: key, reads: make([]read, 0, len(reads))}
	for _, r := range reads {
		if one, ok := readOf(r.Of, r.Key, r.All); ok && !slices.Contains(own.reads, one) {
			own.reads = append(own.reads, one)
		}
	}
	e.of[n][key] = own
	e.news = append(e.news, own)
}
