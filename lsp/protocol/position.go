package protocol

import (
	"sort"
	"unicode/utf8"
)

// Encoding is what the characters of positions are counted in.
type Encoding string

// The encodings that the server speaks; every client speaks UTF16.
const (
	UTF8  Encoding = "utf-8"
	UTF16 Encoding = "utf-16"
)

// Position is a line and a character in it, both from 0.
type Position struct {
	Line      uint32 `json:"line"`
	Character uint32 `json:"character"`
}

// Before tells which of two positions comes first.
func (p Position) Before(o Position) bool {
	return p.Line < o.Line || p.Line == o.Line && p.Character < o.Character
}

// Range is half open.
type Range struct {
	Start Position `json:"start"`
	End   Position `json:"end"`
}

// Touches tells whether two ranges share a position, their ends included.
func (r Range) Touches(o Range) bool { return !r.End.Before(o.Start) && !o.End.Before(r.Start) }

// Text is what a file holds, with where its lines begin. A line ends with a line
// feed, a carriage return, or both.
type Text struct {
	Data   []byte
	starts []int
}

// NewText counts the lines of what nobody changes any more.
func NewText(data []byte) *Text {
	t := &Text{Data: data, starts: []int{0}}
	for i := range data {
		if data[i] == '\n' || data[i] == '\r' && (i+1 == len(data) || data[i+1] != '\n') {
			t.starts = append(t.starts, i+1)
		}
	}
	return t
}

// Lines counts them; an empty text has one.
func (t *Text) Lines() int { return len(t.starts) }

// Line is a line without its end; lines that are not there are empty.
func (t *Text) Line(n int) []byte {
	if n < 0 || n >= len(t.starts) {
		return nil
	}
	end := len(t.Data)
	if n+1 < len(t.starts) {
		end = t.starts[n+1]
	}
	line := t.Data[t.starts[n]:end]
	for len(line) > 0 && (line[len(line)-1] == '\n' || line[len(line)-1] == '\r') {
		line = line[:len(line)-1]
	}
	return line
}

// units is the width of a character that takes size bytes.
func (e Encoding) units(r rune, size int) int {
	switch {
	case e == UTF8:
		return size
	case r > 0xffff:
		return 2
	}
	return 1
}

// Offset is the byte at a position. A position behind a line's end is its end, one
// inside a character is its beginning, and one behind the last line the text's end.
func (t *Text) Offset(p Position, e Encoding) int {
	if int64(p.Line) >= int64(len(t.starts)) {
		return len(t.Data)
	}
	line, at := t.Line(int(p.Line)), 0
	for left := int64(p.Character); at < len(line); {
		r, size := utf8.DecodeRune(line[at:])
		if left -= int64(e.units(r, size)); left < 0 {
			break
		}
		at += size
	}
	return t.starts[p.Line] + at
}

// Position is where a byte stands.
func (t *Text) Position(offset int, e Encoding) Position {
	offset = min(max(offset, 0), len(t.Data))
	n := sort.SearchInts(t.starts, offset+1) - 1
	line, at, units := t.Line(n), 0, 0
	for at < len(line) && t.starts[n]+at < offset {
		r, size := utf8.DecodeRune(line[at:])
		units, at = units+e.units(r, size), at+size
	}
	return Position{Line: uint32(n), Character: uint32(units)}
}

// At is the position of a line and a column as findings count them: from 1, in
// characters. A column behind the line's end is its end.
func (t *Text) At(line, column int, e Encoding) Position {
	line = min(max(line, 1), len(t.starts)) - 1
	text, at, units := t.Line(line), 0, 0
	for n := 1; n < column && at < len(text); n++ {
		r, size := utf8.DecodeRune(text[at:])
		units, at = units+e.units(r, size), at+size
	}
	return Position{Line: uint32(line), Character: uint32(units)}
}

// Point is the line and the column, from 1 and in characters, of a position.
func (t *Text) Point(p Position, e Encoding) (line, column int) {
	at := t.Offset(p, e)
	n := sort.SearchInts(t.starts, at+1) - 1
	return n + 1, utf8.RuneCount(t.Data[t.starts[n]:at]) + 1
}

// Change is a part of a text that becomes another; without a range, all of it.
type Change struct {
	Range *Range `json:"range,omitempty"`
	Text  string `json:"text"`
}

// Apply is the text after a change; the text itself stays.
func (t *Text) Apply(c Change, e Encoding) *Text {
	if c.Range == nil {
		return NewText([]byte(c.Text))
	}
	start, end := t.Offset(c.Range.Start, e), t.Offset(c.Range.End, e)
	end = max(start, end)
	data := make([]byte, 0, len(t.Data)-(end-start)+len(c.Text))
	data = append(data, t.Data[:start]...)
	data = append(data, c.Text...)
	return NewText(append(data, t.Data[end:]...))
}
