package syntax

import "sync"

// cursors is memory for the cursors and records of a document. A nil one makes each anew.
type cursors struct {
	places slab[cursor]
	maps   slab[record]
}

var spareCursors = sync.Pool{New: func() any { return &cursors{} }}

func (s *cursors) next() *cursor {
	if s == nil {
		return &cursor{}
	}
	return s.places.next()
}

func (s *cursors) record() *record {
	if s == nil {
		return &record{}
	}
	return s.maps.next()
}

// back gives the memory to the next document: nothing may hold on to a cursor or a
// record.
func (s *cursors) back() {
	s.places.back()
	s.maps.back()
	if len(s.places.chunks)+len(s.maps.chunks) <= mostChunks {
		spareCursors.Put(s)
	}
}

const (
	chunkOfSlab = 64
	mostChunks  = 64 // that are kept for another document
)

// slab hands out values of one type, and takes all of them back at once.
type slab[T any] struct {
	chunks []*[chunkOfSlab]T
	used   int
}

func (s *slab[T]) next() *T {
	if s.used == len(s.chunks)*chunkOfSlab {
		s.chunks = append(s.chunks, &[chunkOfSlab]T{})
	}
	v := &s.chunks[s.used/chunkOfSlab][s.used%chunkOfSlab]
	s.used++
	return v
}

func (s *slab[T]) back() {
	for i := 0; i*chunkOfSlab < s.used; i++ {
		clear(s.chunks[i][:]) // whoever has one all the same shall not read another document
	}
	s.used = 0
}
