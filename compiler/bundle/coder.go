package bundle

import (
	"encoding/binary"
	"fmt"
)

// A coder walks a structure and either writes it or reads it, so that the two
// directions cannot drift apart. The form: a magic line, a table of strings in
// order of first use, then unsigned varints, of which some are string numbers.
// Reading checks every length against the bytes that are left before it
// allocates, and stops at the first fault.
type coder struct {
	magic   string
	reading bool

	// writing
	body    []byte
	numbers map[string]uint64
	order   []string

	// reading
	in      []byte
	at      int
	strings []string
	fault   *fault
}

// fault is where and why bytes could not be read.
type fault struct {
	offset int
	reason string
}

func newWriter(magic string) *coder {
	return &coder{magic: magic, numbers: map[string]uint64{}}
}

// bytes ends writing.
func (c *coder) bytes() []byte {
	out := append([]byte(nil), c.magic...)
	out = binary.AppendUvarint(out, uint64(len(c.order)))
	for _, s := range c.order {
		out = binary.AppendUvarint(out, uint64(len(s)))
		out = append(out, s...)
	}
	return append(out, c.body...)
}

// newReader reads the magic and the table of strings.
func newReader(magic string, in []byte) *coder {
	c := &coder{magic: magic, reading: true, in: in}
	if len(in) < len(magic) || string(in[:len(magic)]) != magic {
		c.fail("does not start as such a file does")
		return c
	}
	c.at = len(magic)
	n := c.count(1)
	// One conversion for all: the strings share its memory.
	all, base := string(in[c.at:]), c.at
	c.strings = make([]string, 0, n)
	for range n {
		l := c.count(1)
		if c.fault != nil {
			return c
		}
		c.strings = append(c.strings, all[c.at-base:c.at-base+l])
		c.at += l
	}
	return c
}

// end is the fault, if any; bytes that are left over are one.
func (c *coder) end() *fault {
	if c.fault == nil && c.at != len(c.in) {
		c.fail("holds %d bytes more than it says", len(c.in)-c.at)
	}
	return c.fault
}

func (c *coder) fail(format string, args ...any) {
	if c.fault == nil {
		c.fault = &fault{offset: c.at, reason: fmt.Sprintf(format, args...)}
	}
}

// uvarint reads a number; 0 after a fault.
func (c *coder) uvarint() uint64 {
	if c.fault != nil {
		return 0
	}
	v, n := binary.Uvarint(c.in[c.at:])
	if n <= 0 {
		c.fail("ends inside a number, or the number is too long")
		return 0
	}
	c.at += n
	return v
}

// count reads how many elements follow, of at least size bytes each.
func (c *coder) count(size int) int {
	at := c.at
	v := c.uvarint()
	if left := uint64(len(c.in)-c.at) / uint64(size); v > left {
		c.at = at
		c.fail("says that %d elements follow, but has room for %d", v, left)
		return 0
	}
	return int(v)
}

// number walks a number that is at most max.
func number[T ~int | ~uint16 | ~uint32 | ~uint64](c *coder, v *T, max uint64) {
	if !c.reading {
		c.body = binary.AppendUvarint(c.body, uint64(*v))
		return
	}
	at := c.at
	n := c.uvarint()
	if n > max {
		c.at = at
		c.fail("number %d is larger than %d", n, max)
		return
	}
	*v = T(n)
}

// text walks a string by its number in the table.
func text[T ~string](c *coder, v *T) {
	if c.reading {
		at := c.at
		n := c.uvarint()
		if c.fault == nil && n >= uint64(len(c.strings)) {
			c.at = at
			c.fail("string %d of %d", n, len(c.strings))
		}
		if c.fault == nil {
			*v = T(c.strings[n])
		}
		return
	}
	n, ok := c.numbers[string(*v)]
	if !ok {
		n = uint64(len(c.order))
		c.numbers[string(*v)] = n
		c.order = append(c.order, string(*v))
	}
	c.body = binary.AppendUvarint(c.body, n)
}

// flag walks a bool.
func flag(c *coder, v *bool) {
	var n uint64
	if *v {
		n = 1
	}
	number(c, &n, 1)
	*v = n == 1
}

// raw walks bytes of a fixed length.
func raw(c *coder, v []byte) {
	if !c.reading {
		c.body = append(c.body, v...)
		return
	}
	if c.fault == nil && len(c.in)-c.at < len(v) {
		c.fail("ends inside %d bytes", len(v))
	}
	if c.fault == nil {
		c.at += copy(v, c.in[c.at:])
	}
}

// list walks a slice whose elements take at least size bytes each.
func list[T any](c *coder, s *[]T, size int, each func(*coder, *T)) {
	if !c.reading {
		c.body = binary.AppendUvarint(c.body, uint64(len(*s)))
	} else if n := c.count(size); n > 0 {
		*s = make([]T, n)
	}
	for i := range *s {
		if c.fault != nil {
			return
		}
		each(c, &(*s)[i])
	}
}
