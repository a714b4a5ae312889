package source

import (
	"bytes"
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/meshc/meshc/compiler/diag"
)

// Clean makes text that a YAML parser reads of a file's bytes. What people paste
// from articles and word processors (dashes, quotes, spaces, tabs, line ends) is
// reported at its place and read as what was meant, so that one run shows every
// fault. Lines and columns stay as they are in the file.
func Clean(file string, data []byte) ([]byte, diag.List) {
	if plain(data) {
		return data, nil
	}
	c := &cleaner{file: file}
	data = c.decode(data)
	data = c.lineEnds(data)
	if plain(data) {
		return data, c.found
	}
	return c.lines(data), c.found
}

// plain tells whether every byte is printable ASCII or a line feed: nothing to do.
func plain(data []byte) bool {
	for _, b := range data {
		if (b < 0x20 && b != '\n') || b > 0x7e {
			return false
		}
	}
	return true
}

type cleaner struct {
	file  string
	found diag.List
	seen  map[diag.Code]int // how often each code was met
}

// manyAlike is how many findings of one code a file gets from here before the
// rest is left out: a file that is all tabs needs one sentence, not 500.
const manyAlike = 20

func (c *cleaner) report(f diag.Finding) {
	if c.seen == nil {
		c.seen = map[diag.Code]int{}
	}
	c.seen[f.Code]++
	if c.seen[f.Code] <= manyAlike {
		c.found.Add(f)
	}
}

func (c *cleaner) at(line, col, width int) diag.Span {
	return diag.Span{File: c.file, Line: line, Col: col, EndLine: line, EndCol: col + width}
}

// decode makes UTF-8 of the bytes, without a byte order mark.
func (c *cleaner) decode(data []byte) []byte {
	switch {
	case bytes.HasPrefix(data, []byte{0xef, 0xbb, 0xbf}):
		data = data[3:]
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}):
		data = c.fromUTF16(data[2:], binary.LittleEndian)
	case bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		data = c.fromUTF16(data[2:], binary.BigEndian)
	}
	if utf8.Valid(data) {
		return data
	}
	return c.replaceInvalid(data)
}

func (c *cleaner) fromUTF16(data []byte, order binary.ByteOrder) []byte {
	c.report(diag.New("MSH0030", c.at(1, 1, 1), "%q is written in UTF-16", c.file).
		WithHelp("save the file as UTF-8 (in PowerShell: `... | Out-File -Encoding utf8`)"))
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = order.Uint16(data[2*i:])
	}
	return []byte(string(utf16.Decode(units)))
}

// replaceInvalid puts U+FFFD for each byte that is no UTF-8, so that columns stay.
func (c *cleaner) replaceInvalid(data []byte) []byte {
	out := make([]byte, 0, len(data)+16)
	line, col, bad := 1, 1, 0
	var first diag.Span
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		if r == utf8.RuneError && size == 1 {
			if bad++; bad == 1 {
				first = c.at(line, col, 1)
			}
		}
		out = utf8.AppendRune(out, r)
		data = data[size:]
		col++
		if r == '\n' {
			line, col = line+1, 1
		}
	}
	c.report(diag.New("MSH0030", first, "%q is not UTF-8: %s in it cannot be read, this is the first", c.file, plural(bad, "byte")).
		WithHelp("save the file as UTF-8"))
	return out
}

// lineEnds makes line feeds of the line ends of Windows and of old Macs.
func (c *cleaner) lineEnds(data []byte) []byte {
	i := bytes.IndexByte(data, '\r')
	if i < 0 {
		return data
	}
	line := 1 + bytes.Count(data[:i], []byte{'\n'})
	col := 1 + utf8.RuneCount(data[bytes.LastIndexByte(data[:i], '\n')+1:i])
	ends, convert := "Windows line ends (CRLF)", `sed -i 's/\r$//' `+c.file
	if bytes.Count(data, []byte{'\r'}) > bytes.Count(data, []byte("\r\n")) {
		ends, convert = "line ends of old Macs (CR)", `sed -i 's/\r$//; s/\r/\n/g' `+c.file
	}
	c.report(diag.New("MSH0033", c.at(line, col, 1), "%q has %s", c.file, ends).
		WithHelp("it is read all the same; to keep diffs quiet, convert it once: `%s`, and add `*.yaml text eol=lf` to .gitattributes", convert))
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	return bytes.ReplaceAll(data, []byte("\r"), []byte("\n"))
}
