package protocol

import (
	"testing"
	"unicode/utf8"

	"github.com/meshc/meshc/test/fuzz/guard"
)

// A cursor behind a letter that is wide in one encoding is where the user sees it.
func TestPositionsAreCountedAsAgreed(t *testing.T) {
	text := NewText([]byte("a: é😀b # x\r\nsecond\rthird\n"))
	if text.Lines() != 4 || string(text.Line(1)) != "second" || string(text.Line(2)) != "third" {
		t.Fatalf("%d lines: %q, %q", text.Lines(), text.Line(1), text.Line(2))
	}
	for _, c := range []struct {
		e      Encoding
		column int // of b, as findings count
		want   uint32
	}{{UTF16, 6, 6}, {UTF8, 6, 9}} {
		at := text.At(1, c.column, c.e)
		if at.Character != c.want {
			t.Errorf("%s: column %d is character %d, not %d", c.e, c.column, at.Character, c.want)
		}
		if got := text.Data[text.Offset(at, c.e)]; got != 'b' {
			t.Errorf("%s: the cursor is at %q", c.e, got)
		}
		if line, column := text.Point(at, c.e); line != 1 || column != c.column {
			t.Errorf("%s: %v is %d:%d", c.e, at, line, column)
		}
	}
	if at := text.Offset(Position{Line: 0, Character: 5}, UTF16); !utf8.RuneStart(text.Data[at]) {
		t.Errorf("a position between two halves of a letter is within it: byte %d", at)
	}
	for _, p := range []Position{{Line: 0, Character: 999}, {Line: 99}} {
		if at := text.Offset(p, UTF16); at > len(text.Data) || p.Line == 0 && text.Data[at] != '\r' {
			t.Errorf("%v is byte %d", p, at)
		}
	}
}

// Whatever a text, and whatever range an editor names: a change keeps what is outside
// of the range, and places lead back to where they came from.
func FuzzChanges(f *testing.F) {
	f.Add([]byte("a: é😀b\r\nc\rd\n"), uint32(0), uint32(3), uint32(1), uint32(1), "x\r")
	f.Add([]byte("\xff\xfe\xf0\x9f"), uint32(0), uint32(1), uint32(0), uint32(0), "\n")
	f.Add([]byte(""), uint32(1<<31), uint32(1<<31), uint32(1<<31), uint32(1<<31), "")
	f.Fuzz(func(t *testing.T, data []byte, line, character, endLine, endCharacter uint32, insert string) {
		if len(data) > 1<<12 || len(insert) > 1<<12 {
			return
		}
		guard.Run(t, 64<<20, func() {
			for _, e := range []Encoding{UTF8, UTF16} {
				text := NewText(data)
				start := text.Offset(Position{line, character}, e)
				end := max(start, text.Offset(Position{endLine, endCharacter}, e))
				after := text.Apply(Change{Range: &Range{Position{line, character}, Position{endLine, endCharacter}}, Text: insert}, e)
				if want := string(data[:start]) + insert + string(data[end:]); string(after.Data) != want {
					t.Fatalf("%s: %q, not %q", e, after.Data, want)
				}
				if again := text.Offset(text.Position(start, e), e); again != start {
					t.Fatalf("%s: byte %d leads back to byte %d", e, start, again)
				}
				l, c := text.Point(text.Position(start, e), e)
				if at := text.At(l, c, e); at != text.Position(start, e) {
					t.Fatalf("%s: byte %d is %d:%d, which is %v", e, start, l, c, at)
				}
			}
		})
	})
}
