// Package fix makes the changes that findings offer: edits to texts in, texts out,
// with every other byte as it was. It chooses which fixes go together, and makes
// them until nothing is left to make. It knows no files and does not compile: it is
// given who does.
package fix

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/meshc/meshc/compiler/diag"
)

// Why edits cannot be made to a text.
var (
	ErrOverlap  = errors.New("edits overlap")
	ErrOutside  = errors.New("an edit lies outside of the text")
	ErrEncoding = errors.New("the text is not UTF-8 with line ends of Unix or Windows")
)

var mark = []byte("\ufeff") // that some editors put before UTF-8

// place is an edit in bytes.
type place struct {
	from, to int
	text     string
}

// Apply makes edits, whose lines and columns count from 1 and in code points as
// spans do, to a text. An edit without an end inserts; one that ends at the first
// column of a line ends with the line before. Edits at one place are made in order.
func Apply(text []byte, edits []diag.Edit) ([]byte, error) {
	places, err := locate(text, edits)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	at := 0
	for _, p := range places {
		if p.from < at {
			return nil, ErrOverlap
		}
		out.Write(text[at:p.from])
		out.WriteString(p.text)
		at = p.to
	}
	out.Write(text[at:])
	return out.Bytes(), nil
}

// locate turns lines and columns into bytes, in order of place.
func locate(text []byte, edits []diag.Edit) ([]place, error) {
	if !utf8.Valid(text) || bytes.Count(text, []byte{'\r'}) != bytes.Count(text, []byte("\r\n")) {
		return nil, ErrEncoding
	}
	starts := []int{len(text) - len(bytes.TrimPrefix(text, mark))}
	for i, b := range text {
		if b == '\n' {
			starts = append(starts, i+1)
		}
	}
	at := func(line, col int) (int, bool) {
		if line == len(starts)+1 && col == 1 {
			return len(text), true // the line after the last, of a text that does not end its last line
		}
		if line < 1 || line > len(starts) || col < 1 {
			return 0, false
		}
		i := starts[line-1]
		for ; col > 1; col-- {
			if i >= len(text) || text[i] == '\n' || text[i] == '\r' {
				return 0, false
			}
			_, size := utf8.DecodeRune(text[i:])
			i += size
		}
		return i, true
	}
	places := make([]place, len(edits))
	for i, e := range edits {
		endLine, endCol := cmp.Or(e.EndLine, e.Line), e.EndCol
		if endCol == 0 {
			endCol = e.Col
		}
		from, ok1 := at(e.Line, e.Col)
		to, ok2 := at(endLine, endCol)
		if !ok1 || !ok2 || to < from {
			return nil, ErrOutside
		}
		places[i] = place{from, to, e.NewText}
	}
	slices.SortStableFunc(places, func(a, b place) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) })
	return places, nil
}

// Unified is the difference of two texts of a file as patch(1) and git apply read
// it; nil when they are equal.
func Unified(name string, before, after []byte) []byte {
	name = strings.TrimPrefix(name, "/")
	return diff.Diff("a/"+name, before, "b/"+name, after)
}
