package syntax

import "sync"

// cursors is memory for the cursors of a document. A nil one makes each anew.
type cursors struct {
	chunks []*[chunkOfCursors]cursor
	used   int
}

const (
	chunkOfCursors = 64
	mostChunks     = 64 // that are kept for another document
)

var spareCursors = sync.Pool{New: func() any { return &cursors{} }}

func (s *cursors) next() *cursor {
	if s == nil {
		return &cursor{}
	}
	if s.used == len(s.chunks)*chunkOfCursors {
		s.chunks = append(s.chunks, &[chunkOfCursors]cursor{})
	}
	c := &s.chunks[s.used/chunkOfCursors][s.used%chunkOfCursors]
	s.used++
	return c
}

// back gives the memory to the next document: nothing may hold on to a cursor.
func (s *cursors) back() {
	for i := 0; i*chunkOfCursors < s.used; i++ {
		clear(s.chunks[i][:]) // whoever has one all the same shall not read another document
	}
	s.used = 0
	if len(s.chunks) <= mostChunks {
		spareCursors.Put(s)
	}
}
