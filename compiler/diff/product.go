package diff

import "encoding/binary"

// The most work that one search, and one comparison of two meshes, may do. Past
// it the answer is unknown.
const (
	mostStates = 100_000
	mostSteps  = 4_000_000
	mostTotal  = 200_000_000
)

// answer of a search.
type answer int

const (
	no answer = iota
	yes
	unsure
)

// letters in the order in which an example looks best.
var letters = append([]byte("abcdefghijklmnopqrstuvwxyz0123456789/-_.ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
	"!$%&'()*+,:;=@~[]?# \"<>^`{|}\\\t"...)

// latin is what a header's line may hold: printable ASCII, tabs, and bytes past
// ASCII, of which expressions tell none apart by name.
var latin = func() []byte {
	out := append([]byte(nil), letters...)
	for b := 0x80; b < 0x100; b++ {
		out = append(out, byte(b))
	}
	return out
}()

// walk is a search through the product of machines, breadth first: the first
// text it finds is a shortest one.
type walk struct {
	machines []*machine
	must     int // the first so many have to stay alive
	alphabet []byte
	budget   *int
}

// each calls found for every product state that the machines can be in after a
// whole text, with a shortest such text, until found returns true. It tells
// whether it was, or that the product is too large.
func (w walk) each(found func(states []int, text func() string) bool) answer {
	type place struct {
		states []int
		parent int
		by     byte
	}
	first := make([]int, len(w.machines))
	places := []place{{states: first, parent: -1}}
	seen := map[string]bool{key(first): true}
	letters := w.distinct()
	steps := 0
	for at := 0; at < len(places); at++ {
		text := func() string {
			var back []byte
			for i := at; places[i].parent >= 0; i = places[i].parent {
				back = append(back, places[i].by)
			}
			for i, j := 0, len(back)-1; i < j; i, j = i+1, j-1 {
				back[i], back[j] = back[j], back[i]
			}
			return string(back)
		}
		if found(places[at].states, text) {
			return yes
		}
		for _, b := range letters {
			next, cost := w.next(places[at].states, b)
			steps += cost
			*w.budget -= cost
			if steps > mostSteps || *w.budget < 0 {
				return unsure
			}
			if next == nil || seen[key(next)] {
				continue
			}
			if len(places) >= mostStates {
				return unsure
			}
			seen[key(next)] = true
			places = append(places, place{next, at, b})
		}
	}
	return no
}

// next is the product state after a byte; nil when a machine that must match
// cannot any more.
func (w walk) next(from []int, b byte) ([]int, int) {
	next := make([]int, len(from))
	total := 0
	for i, m := range w.machines {
		to, cost := m.step(from[i], b)
		total += cost
		if i < w.must && m.dead(to) {
			return nil, total
		}
		next[i] = to
	}
	return next, total
}

// distinct is one letter for each class of letters that no machine tells apart.
func (w walk) distinct() []byte {
	var out []byte
	seen := map[string]bool{}
	sign := make([]byte, 0, 2*len(w.machines))
	for _, b := range w.alphabet {
		sign = sign[:0]
		for _, m := range w.machines {
			sign = binary.BigEndian.AppendUint16(sign, m.class[b])
		}
		if !seen[string(sign)] {
			seen[string(sign)] = true
			out = append(out, b)
		}
	}
	return out
}

func key(states []int) string {
	out := make([]byte, 0, 2*len(states))
	for _, s := range states {
		out = binary.AppendUvarint(out, uint64(s))
	}
	return string(out)
}
