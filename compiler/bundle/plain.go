package bundle

import (
	"encoding/json"
	"math"
	"strings"
	"unicode/utf8"
)

// A plain reader reads JSON of the one form that Pack writes: the members of an
// object in the order of the type's fields, none twice, none unknown, and no
// space between. Such bytes mean the same to encoding/json, which takes about six
// times as long. Anything else it declines, and encoding/json judges it: a plain
// reader refuses nothing, and takes nothing that encoding/json takes otherwise.
type plain struct {
	in       string
	at       int
	declined bool
}

func (p *plain) decline() { p.declined, p.at = true, len(p.in) }

// peek is the next byte; 0 at the end.
func (p *plain) peek() byte {
	if p.at < len(p.in) {
		return p.in[p.at]
	}
	return 0
}

// take steps over what must come now.
func (p *plain) take(what string) {
	if !strings.HasPrefix(p.in[p.at:], what) {
		p.decline()
		return
	}
	p.at += len(what)
}

// next tells whether an element follows the one that was read; if none does, it
// steps over the end of the list or object.
func (p *plain) next(end byte) bool {
	c := p.peek()
	if p.declined || c != ',' && c != end {
		p.decline()
		return false
	}
	p.at++
	return c == ','
}

// An object is read member by member: members that are not there are passed by.
type object struct {
	*plain
	more bool // a member comes
}

func (p *plain) object() object {
	p.take("{")
	if p.peek() == '}' {
		p.at++
		return object{plain: p}
	}
	return object{plain: p, more: !p.declined}
}

// end declines what has a member that no call of member took.
func (o *object) end() {
	if o.more {
		o.decline()
	}
}

// member reads a member by its name, if it comes now.
func member[T any](o *object, name string, v *T, read func(*plain, *T)) {
	if !o.more {
		return
	}
	rest := o.in[o.at:]
	n := len(name)
	if len(rest) < n+3 || rest[0] != '"' || rest[1:n+1] != name || rest[n+1] != '"' || rest[n+2] != ':' {
		return
	}
	o.at += n + 3
	read(o.plain, v)
	o.more = o.next('}')
}

// elements reads a list of what read reads. No list and an empty one stay apart.
func elements[T any](p *plain, v *[]T, read func(*plain, *T)) {
	if p.peek() == 'n' {
		p.take("null")
		return
	}
	p.take("[")
	if p.declined {
		return
	}
	*v = []T{}
	if p.peek() == ']' {
		p.at++
		return
	}
	for more := true; more; more = p.next(']') {
		var e T
		read(p, &e)
		*v = append(*v, e)
	}
}

// pointer reads an object that may be absent.
func pointer[T any](read func(*plain, *T)) func(*plain, **T) {
	return func(p *plain, v **T) {
		*v = new(T)
		read(p, *v)
	}
}

func plainTexts[T ~string](p *plain, v *[]T) { elements(p, v, plainText[T]) }

// plainText reads a string. Its memory is that of the whole text, if nothing in it
// is escaped.
func plainText[T ~string](p *plain, v *T) {
	if p.peek() != '"' {
		p.decline()
		return
	}
	start, escapes, other := p.at+1, false, false
	for i := start; i < len(p.in); i++ {
		switch c := p.in[i]; {
		case c == '"':
			p.at = i + 1
			switch {
			case other:
				*v = T(p.decoded(p.in[start-1 : p.at]))
			case escapes:
				*v = T(unescaped(p.in[start:i]))
			default:
				*v = T(p.in[start:i])
			}
			return
		case c == '\\':
			i++
			escapes = true
			other = other || i < len(p.in) && p.in[i] != '"' && p.in[i] != '\\'
		case c < ' ' || c >= utf8.RuneSelf:
			other = true
		}
	}
	p.decline()
}

// decoded leaves a string to encoding/json: one that holds characters by number, or
// that may be no UTF-8.
func (p *plain) decoded(literal string) (s string) {
	if json.Unmarshal([]byte(literal), &s) != nil {
		p.decline()
	}
	return s
}

// unescaped takes the backslash from before each quote and backslash.
func unescaped(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func plainBool(p *plain, v *bool) {
	if *v = p.peek() == 't'; *v {
		p.take("true")
		return
	}
	p.take("false")
}

// plainNumber reads a whole number of at most 18 digits.
func plainNumber(p *plain, lowest, highest int64) int64 {
	start := p.at
	negative := p.peek() == '-'
	if negative {
		p.at++
	}
	first, n := p.at, int64(0)
	for p.at < len(p.in) && '0' <= p.in[p.at] && p.in[p.at] <= '9' && p.at-first < 19 {
		n = n*10 + int64(p.in[p.at]-'0')
		p.at++
	}
	digits := p.at - first
	if negative {
		n = -n
	}
	if digits == 0 || digits > 18 || p.in[first] == '0' && p.at-start > 1 || n < lowest || n > highest {
		p.decline()
		return 0
	}
	return n
}

func plainInt[T ~int | ~int64](p *plain, v *T) {
	*v = T(plainNumber(p, math.MinInt, math.MaxInt))
}

func plainUint[T ~uint16 | ~uint32](p *plain, v *T) {
	*v = T(plainNumber(p, 0, int64(^T(0))))
}
