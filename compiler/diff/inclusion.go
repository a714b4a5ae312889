package diff

import (
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/ir"
)

// pathText is every path that a proxy may judge, and little more: it begins with
// a slash, has no query, no space, no empty, "." or ".." segment, and nothing that
// ir.NormalisePath escapes.
const (
	plainChars = `!$-\-0-;=@-\[\]_a-z~` // all but the dot and the slash
	segment    = `(?:\.{0,2}[` + plainChars + `][.` + plainChars + `]*|\.{3,}[.` + plainChars + `]*)`
	pathText   = `/(?:` + segment + `/)*(?:` + segment + `)?`
)

// weigher compares sets of requests and keeps the machines it builds. It decides
// by automata, not by how an expression is written.
type weigher struct {
	machines map[string]*machine
	paths    map[string]finding
	classes  map[string][]excess
	budget   int
	words    int // of the budget, what may be spent on wording
}

type finding struct {
	answer answer
	text   string
}

func newWeigher() *weigher {
	return &weigher{machines: map[string]*machine{}, paths: map[string]finding{}, classes: map[string][]excess{}, budget: mostTotal, words: mostTotal}
}

func (w *weigher) machine(expr string, search bool) *machine {
	key := expr
	if search {
		key = "\x00" + expr
	}
	m, ok := w.machines[key]
	if !ok {
		m = newMachine(expr, search)
		w.machines[key] = m
		w.budget -= len(m.prog.Inst)
	}
	return m
}

// excess is requests of one class that another union does not hold.
type excess struct {
	class                   // with the methods that are too many
	example *ir.HTTPRequest // one of them; nil when it is not known whether there is any
	partial bool            // the other union holds some requests of the class
}

// beyond finds what classes hold that others do not, class by class.
func (w *weigher) beyond(classes, others []class) []excess {
	var out []excess
	if ids(classes) == ids(others) {
		return nil
	}
	for _, c := range classes {
		out = append(out, w.outside(c, others)...)
	}
	return out
}

// outside finds the methods by which a class holds more than a union. Methods
// that are certain and those that are not are told apart.
func (w *weigher) outside(c class, others []class) []excess {
	memo := c.id() + "\x03" + ids(others)
	if known, ok := w.classes[memo]; ok {
		known = slices.Clone(known)
		for i := range known {
			known[i].grant, known[i].match = c.grant, c.match
		}
		return known
	}
	var sure, unclear []string
	var example *ir.HTTPRequest
	candidates, rest := methodsOf(c, others)
	for _, m := range candidates {
		request, answer := w.method(m, c, others)
		switch answer {
		case yes:
			sure = append(sure, m)
			if example == nil || m == "GET" {
				example = request
			}
		case unsure:
			unclear = append(unclear, m)
		}
	}
	var out []excess
	for _, found := range []struct {
		methods []string
		example *ir.HTTPRequest
	}{{sure, example}, {unclear, nil}} {
		if len(found.methods) == 0 {
			continue
		}
		e := excess{class: c, example: found.example}
		if e.methods = found.methods; slices.Contains(found.methods, rest) {
			e.methods = nil // methods that nobody names, hence all but a few
		}
		out = append(out, e)
	}
	w.classes[memo] = out
	return out
}

// methodsOf are the methods to try: the class's own, or all that are named and
// rest, which stands for all others.
func methodsOf(c class, others []class) (candidates []string, rest string) {
	if c.methods != nil {
		return c.methods, ""
	}
	named := map[string]bool{}
	for _, o := range others {
		for _, m := range o.methods {
			named[m] = true
		}
	}
	for _, m := range []string{"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "PURGE"} {
		if !named[m] {
			rest = m
			break
		}
	}
	for m := range named {
		if m != "CONNECT" { // proxies refuse it
			candidates = append(candidates, m)
		}
	}
	slices.Sort(candidates)
	return append([]string{rest}, candidates...), rest
}

// method looks for a request with this method that is of the class and not of
// the union.
//
// Conditions on headers only ever ask for lines to be there, so a request with
// the fewest lines is the best witness: one line for each header of the class.
// Which of the union's conditions such a line meets as well is found by walking
// their machines together; of these sets only the smallest count.
func (w *weigher) method(m string, c class, others []class) (*ir.HTTPRequest, answer) {
	var rivals []class
	for _, o := range others {
		if o.hasMethod(m) && !slices.ContainsFunc(o.headers, func(h ir.HeaderMatch) bool { return !mentions(c, h.Name) }) {
			rivals = append(rivals, o)
		}
	}
	result := no
	slots := make([][]line, len(c.headers))
	for i, h := range c.headers {
		found, answer := w.lines(h, rivals)
		if answer == no {
			return nil, no // no line matches: nothing is of the class
		}
		if answer == unsure {
			result = unsure
		}
		slots[i] = found
	}
	if result == unsure {
		return nil, unsure
	}
	for _, lines := range combinations(slots) {
		if lines == nil {
			return nil, unsure
		}
		path, answer := w.path(c, slices.DeleteFunc(slices.Clone(rivals), func(o class) bool { return !met(o, lines) }))
		if answer == yes {
			return request(m, path, lines), yes
		}
		result = max(result, answer)
	}
	return nil, result
}

func mentions(c class, header string) bool {
	return slices.ContainsFunc(c.headers, func(h ir.HeaderMatch) bool { return h.Name == header })
}

func request(method, path string, lines []line) *ir.HTTPRequest {
	out := &ir.HTTPRequest{Method: method, Path: path}
	for _, l := range lines {
		out.Headers = append(out.Headers, ir.Header{Name: l.name, Value: l.text})
	}
	return out
}

// path looks for a path of the class that none of the rivals has.
func (w *weigher) path(c class, rivals []class) (string, answer) {
	all := slices.Clone(c.paths)
	slices.Sort(all)
	memo := strings.Join(all, "\x00")
	var none []string
	for _, o := range rivals {
		paths := slices.Clone(o.paths)
		slices.Sort(paths)
		none = append(none, strings.Join(paths, "\x00"))
	}
	slices.Sort(none)
	none = slices.Compact(none)
	if slices.Contains(none, "") || slices.Contains(none, memo) {
		return "", no
	}
	memo += "\x01" + strings.Join(none, "\x01")
	if known, ok := w.paths[memo]; ok {
		return known.text, known.answer
	}
	found := w.search(all, none)
	w.paths[memo] = found
	return found.text, found.answer
}

func (w *weigher) search(all, none []string) finding {
	var f finding
	index := map[string]int{}
	walk := walk{alphabet: letters, budget: &w.budget}
	add := func(expr string) int {
		i, ok := index[expr]
		if !ok {
			i = len(walk.machines)
			index[expr] = i
			walk.machines = append(walk.machines, w.machine(expr, false))
		}
		return i
	}
	add(pathText)
	for _, expr := range all {
		add(expr)
	}
	walk.must = len(walk.machines)
	groups := make([][]int, len(none))
	for i, group := range none {
		for _, expr := range strings.Split(group, "\x00") {
			groups[i] = append(groups[i], add(expr))
		}
	}
	accepts := func(states []int, i int) bool { return walk.machines[i].states[states[i]].accept }
	f.answer = walk.each(func(states []int, text func() string) bool {
		for i := range walk.must {
			if !accepts(states, i) {
				return false
			}
		}
		for _, group := range groups {
			if !slices.ContainsFunc(group, func(i int) bool { return !accepts(states, i) }) {
				return false
			}
		}
		f.text = text()
		return true
	})
	return f
}

// Contains decides whether every text that expression b matches in full is one
// that a matches in full; known is false where that is too large to decide. Texts
// are what a header's line may hold: no control characters but tabs.
func Contains(a, b string) (contained, known bool) {
	w := newWeigher()
	walk := walk{machines: []*machine{w.machine(b, false), w.machine(a, false)}, must: 1, alphabet: latin, budget: &w.budget}
	found := walk.each(func(states []int, _ func() string) bool {
		return walk.machines[0].states[states[0]].accept && !walk.machines[1].states[states[1]].accept
	})
	return found == no, found != unsure
}
