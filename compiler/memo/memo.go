// Package memo remembers what pure functions made of what they read. A Table is
// a function of a key; while it runs, the graph records which other entries it
// read. When an input becomes another, only what read it, directly or through
// others, is suspected; a suspect is run again only when one of its reads has in
// fact become another. It knows nothing of what the functions mean. A graph is
// for one goroutine at a time.
package memo

// Graph is the entries of all its tables and who read whom.
type Graph struct {
	once   bool   // nothing is asked again after a change: who read whom need not be known
	now    uint64 // revision: grows with every change of an input
	edit   uint64 // number of the edit that is under way
	frame  uint64 // number of the run that is under way
	frames uint64 // runs so far
	stack  []*cell
	// An edit that may be undone remembers what it changes, in order, and whom it
	// made suspects.
	tentative bool
	changes   []change
	marked    []*cell
	orphans   []*cell
	pending   [][]*cell // gates that are suspects, by level
}

// New makes an empty graph.
func New() *Graph { return &Graph{now: 1} }

// Once makes an empty graph for inputs that are all set before anything is asked. Its
// tables keep values and nothing else.
func Once() *Graph { return &Graph{now: 1, once: true} }

// cell is what the graph knows of one entry.
type cell struct {
	owner   owner
	checked uint64 // revision at which the value was last known to be right
	changed uint64 // revision at which the value last became another
	seen    uint64 // the last run that read it
	reads   []*cell
	readers []*cell
	suspect bool
	marked  uint64 // the edit in which it became a suspect
	unmade  bool   // it has no value yet
	gone    bool
	gate    int // 0: it is none; else its level
}

// owner is the entry around a cell, with its types.
type owner interface {
	// run makes the value again, and tells whether it became another.
	run() bool
	// keep returns what puts the present value back.
	keep() (restore func())
	// spare tells that the value can be had again: it was made, or is zero.
	spare() bool
	// forget takes the entry out of its table.
	forget()
}

// change is what Rollback undoes.
type change struct {
	c       *cell
	before  cell
	restore func() // nil: the entry was made since Begin
}

// Begin starts an edit; every change of an input belongs to one. Only a tentative
// one can be undone. Until its end all that is asked for is answered as if the
// edit were kept.
func (g *Graph) Begin(tentative bool) {
	g.edit++
	g.tentative = tentative
}

// Commit keeps the edit, and forgets entries that nothing reads any more.
func (g *Graph) Commit() {
	g.settle()
	for len(g.orphans) > 0 {
		c := g.orphans[len(g.orphans)-1]
		g.orphans = g.orphans[:len(g.orphans)-1]
		if len(c.readers) > 0 || c.gone || !c.owner.spare() {
			continue
		}
		c.gone = true
		g.unlink(c, c.reads)
		c.owner.forget()
	}
	g.end()
}

// Rollback makes everything what it was at Begin. Revisions are not used again:
// what was found unchanged in between stays so.
func (g *Graph) Rollback() {
	for _, c := range g.marked {
		c.suspect = false
	}
	for i := len(g.changes) - 1; i >= 0; i-- {
		ch := &g.changes[i]
		g.unlink(ch.c, ch.c.reads)
		if ch.restore == nil {
			ch.c.gone = true
			ch.c.owner.forget()
			continue
		}
		ch.restore()
		readers := ch.c.readers
		*ch.c = ch.before
		ch.c.readers = readers
		g.link(ch.c, ch.c.reads)
	}
	g.now++
	g.end()
}

func (g *Graph) end() {
	clear(g.changes)
	clear(g.marked)
	g.changes, g.marked, g.orphans = g.changes[:0], g.marked[:0], g.orphans[:0]
	for level, gates := range g.pending {
		clear(gates)
		g.pending[level] = gates[:0]
	}
	g.tentative = false
}

// save remembers an entry as it is, once it is about to become another.
func (g *Graph) save(c *cell) {
	if g.tentative {
		before := *c
		before.suspect = c.suspect && c.marked != g.edit
		g.changes = append(g.changes, change{c: c, before: before, restore: c.owner.keep()})
	}
}

// settle makes the gates right that are suspects, those of low level first: what
// read one of them becomes a suspect only if its value became another.
func (g *Graph) settle() {
	for level := 0; level < len(g.pending); level++ {
		gates := g.pending[level]
		if len(gates) == 0 {
			continue
		}
		c := gates[len(gates)-1]
		g.pending[level] = gates[:len(gates)-1]
		if !c.gone {
			g.ensure(c)
		}
		level = -1 // it may have made suspects of lower ones
	}
}

// wait puts a suspect gate among those that settle makes right.
func (g *Graph) wait(c *cell) {
	for len(g.pending) < c.gate {
		g.pending = append(g.pending, nil)
	}
	g.pending[c.gate-1] = append(g.pending[c.gate-1], c)
}

// suspects marks everything that read a cell, but nothing behind a gate.
func (g *Graph) suspects(c *cell) {
	for _, r := range c.readers {
		if !r.suspect {
			r.suspect, r.marked = true, g.edit
			if g.tentative {
				g.marked = append(g.marked, r)
			}
			if r.gate > 0 {
				g.wait(r)
				continue
			}
			g.suspects(r)
		}
	}
}

// ensure makes a cell's value right.
func (g *Graph) ensure(c *cell) {
	if c.unmade {
		g.run(c)
		return
	}
	if !c.suspect {
		return
	}
	for _, r := range c.reads {
		if g.ensure(r); r.changed > c.checked {
			g.run(c)
			return
		}
	}
	if c.marked != g.edit {
		g.save(c) // it was a suspect before this edit, and is one again after a rollback
	}
	c.suspect, c.checked = false, g.now
}

func (g *Graph) run(c *cell) {
	if !c.unmade {
		g.save(c)
	}
	start, outer, begun := len(g.stack), g.frame, g.now
	g.frames++
	g.frame = g.frames
	changed := c.owner.run()
	g.frame = outer
	reads := g.stack[start:]
	if !equal(reads, c.reads) {
		own := append([]*cell(nil), reads...)
		g.unlink(c, c.reads)
		g.link(c, own)
		c.reads = own
	}
	clear(reads)
	g.stack = g.stack[:start]
	changed = changed || c.unmade
	known := !c.unmade
	c.checked, c.suspect, c.unmade = begun, false, false
	if !changed {
		return
	}
	if c.gate > 0 && known {
		g.now++ // who read it may have been found right in this revision
		c.checked = g.now
		g.suspects(c)
	}
	c.changed = g.now
}

// read records that the run under way has read a cell.
func (g *Graph) read(c *cell) {
	if g.frame != 0 && c.seen != g.frame {
		c.seen = g.frame
		g.stack = append(g.stack, c)
	}
}

func (g *Graph) link(c *cell, reads []*cell) {
	for _, r := range reads {
		r.readers = append(r.readers, c)
	}
}

func (g *Graph) unlink(c *cell, reads []*cell) {
	for _, r := range reads {
		for i, x := range r.readers {
			if x == c {
				last := len(r.readers) - 1
				r.readers[i], r.readers[last] = r.readers[last], nil
				r.readers = r.readers[:last]
				break
			}
		}
		if len(r.readers) == 0 {
			g.orphans = append(g.orphans, r)
		}
	}
}

func equal(a, b []*cell) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
