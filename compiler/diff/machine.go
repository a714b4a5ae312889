package diff

import (
	"encoding/binary"
	"regexp/syntax"
	"slices"
)

// machine is the deterministic automaton of one expression that must match a
// whole text, built as far as it is walked. Its letters are bytes, as in Envoy's
// RE2; expressions name none beyond ASCII, so bytes and Go's runes agree.
type machine struct {
	prog *syntax.Prog
	// class leads from a byte to the class of bytes that the expression does not
	// tell apart; reps holds one byte of each class.
	class [256]uint16
	reps  []byte
	// bounds: the expression asks what stands before a place (\b, (?m)^), so
	// states remember it.
	bounds bool
	states []node
	index  map[string]int
}

// node is a state: the instructions that wait for the next byte, and what
// stands before it.
type node struct {
	pcs    []uint32
	before rune
	next   []int // by class; unwalked until it is needed
	accept bool
}

const (
	unwalked = -1
	start    = -1 // before the first byte
)

// newMachine compiles an expression; search finds it anywhere in the text. One
// that does not parse matches nothing, as in ir.Decide.
func newMachine(expr string, search bool) *machine {
	m := &machine{index: map[string]int{}}
	around := ""
	if search {
		around = "(?s:.*)"
	}
	if _, err := syntax.Parse(expr, syntax.Perl); err != nil {
		expr, around = "[^\\x00-\\x{10FFFF}]", ""
	}
	re, err := syntax.Parse(`\A`+around+`(?:`+expr+`)`+around+`\z`, syntax.Perl)
	if err != nil { // nested too deep with what stands around it
		return newMachine("(", false)
	}
	prog, err := syntax.Compile(re.Simplify())
	if err != nil {
		return newMachine("(", false)
	}
	m.prog = prog
	m.bounds = slices.ContainsFunc(prog.Inst, func(i syntax.Inst) bool {
		return i.Op == syntax.InstEmptyWidth && syntax.EmptyOp(i.Arg)&^(syntax.EmptyBeginText|syntax.EmptyEndText) != 0
	})
	m.classify()
	m.state([]uint32{uint32(prog.Start)}, start)
	return m
}

// classify finds the bytes that the expression does not tell apart.
func (m *machine) classify() {
	var seen []*syntax.Inst
	known := map[string]bool{}
	for i := range m.prog.Inst {
		inst := &m.prog.Inst[i]
		switch inst.Op {
		case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAnyNotNL:
			key := string(inst.Rune) + string(rune(inst.Op)) + string(rune(inst.Arg&uint32(syntax.FoldCase)))
			if !known[key] {
				known[key] = true
				seen = append(seen, inst)
			}
		}
	}
	index := map[string]uint16{}
	sign := make([]byte, len(seen)+1)
	for b := range 256 {
		for i, inst := range seen {
			sign[i] = 0
			if inst.MatchRune(rune(b)) {
				sign[i] = 1
			}
		}
		sign[len(seen)] = 0
		if m.bounds {
			sign[len(seen)] = byte(kindOf(rune(b)))
		}
		c, ok := index[string(sign)]
		if !ok {
			c = uint16(len(m.reps))
			index[string(sign)] = c
			m.reps = append(m.reps, byte(b))
		}
		m.class[b] = c
	}
}

// kindOf is a byte that stands for all that \b and (?m)^ do not tell apart.
func kindOf(r rune) rune {
	switch {
	case syntax.IsWordChar(r):
		return 'a'
	case r == '\n':
		return '\n'
	}
	return ' '
}

// state finds or makes the state of a set of instructions. Jumps are followed at
// once; what depends on the next byte waits.
func (m *machine) state(pcs []uint32, before rune) int {
	if before != start {
		if before = kindOf(before); !m.bounds {
			before = ' '
		}
	}
	var kept []uint32
	seen := map[uint32]bool{}
	for len(pcs) > 0 {
		pc := pcs[len(pcs)-1]
		pcs = pcs[:len(pcs)-1]
		if seen[pc] {
			continue
		}
		seen[pc] = true
		switch inst := &m.prog.Inst[pc]; inst.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			pcs = append(pcs, inst.Out, inst.Arg)
		case syntax.InstCapture, syntax.InstNop:
			pcs = append(pcs, inst.Out)
		case syntax.InstFail:
		case syntax.InstEmptyWidth:
			if syntax.EmptyOp(inst.Arg)&syntax.EmptyBeginText == 0 || before == start {
				kept = append(kept, pc)
			}
		default:
			kept = append(kept, pc)
		}
	}
	slices.Sort(kept)
	key := binary.AppendVarint(nil, int64(before))
	for _, pc := range kept {
		key = binary.AppendUvarint(key, uint64(pc))
	}
	if id, ok := m.index[string(key)]; ok {
		return id
	}
	n := node{pcs: kept, before: before, next: make([]int, len(m.reps))}
	for i := range n.next {
		n.next[i] = unwalked
	}
	for _, pc := range m.passed(n, -1) {
		n.accept = n.accept || m.prog.Inst[pc].Op == syntax.InstMatch
	}
	m.states = append(m.states, n)
	m.index[string(key)] = len(m.states) - 1
	return len(m.states) - 1
}

// passed are the instructions that are reached without a byte when the next one
// is known; -1 is the end of the text.
func (m *machine) passed(n node, next rune) []uint32 {
	flags := syntax.EmptyOpContext(n.before, next)
	var out []uint32
	seen := map[uint32]bool{}
	todo := slices.Clone(n.pcs)
	for len(todo) > 0 {
		pc := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[pc] {
			continue
		}
		seen[pc] = true
		switch inst := &m.prog.Inst[pc]; inst.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			todo = append(todo, inst.Out, inst.Arg)
		case syntax.InstCapture, syntax.InstNop:
			todo = append(todo, inst.Out)
		case syntax.InstEmptyWidth:
			if syntax.EmptyOp(inst.Arg)&^flags == 0 {
				todo = append(todo, inst.Out)
			}
		case syntax.InstFail:
		default:
			out = append(out, pc)
		}
	}
	return out
}

// step is the state after a byte, and what finding it cost.
func (m *machine) step(from int, b byte) (to, cost int) {
	c := m.class[b]
	if to := m.states[from].next[c]; to != unwalked {
		return to, 1
	}
	n := m.states[from]
	var pcs []uint32
	for _, pc := range m.passed(n, rune(b)) {
		if inst := &m.prog.Inst[pc]; inst.Op != syntax.InstMatch && inst.MatchRune(rune(b)) {
			pcs = append(pcs, inst.Out)
		}
	}
	cost = 1 + 4*(len(n.pcs)+len(pcs))
	to = m.state(pcs, rune(b))
	n.next[c] = to
	return to, cost
}

// dead tells that nothing more can be matched.
func (m *machine) dead(state int) bool { return len(m.states[state].pcs) == 0 }
