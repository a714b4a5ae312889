package ir

import "strings"

// NormalisePath is what a proxy makes of a request's path before it judges it:
// Envoy 1.40's normalize_path, merge_slashes and REJECT_REQUEST for escaped
// slashes. ok is false where the proxy answers 400 instead. The query is kept.
//
// It is not idempotent: a second proxy may find more to do ("/a/%2e%2e;/b" is
// "/a/..;/b" after the first and "/b" after the second). A call between two
// meshed workloads passes two.
func NormalisePath(path string) (normal string, ok bool) {
	if !strings.HasPrefix(path, "/") {
		return "", false
	}
	for i := 0; i < len(path); i++ {
		if c := path[i]; c <= ' ' || c >= 0x7f || c == '#' {
			return "", false
		}
	}
	path, query, hasQuery := strings.Cut(path, "?")
	if hasQuery {
		query = "?" + query
	}
	lower := strings.ToLower(path)
	if strings.Contains(lower, "%2f") || strings.Contains(lower, "%5c") {
		return "", false
	}
	path, ok = canonical(dropDotParameters(path))
	if !ok {
		return "", false
	}
	return mergeSlashes(path) + query, true
}

// WithoutQuery is the path that policies judge.
func WithoutQuery(path string) string {
	path, _, _ = strings.Cut(path, "?")
	return path
}

// dropDotParameters makes "." and ".." of the segments ".;x" and "..;x", which
// some servers read as such.
func dropDotParameters(path string) string {
	if !strings.Contains(path, ".;") {
		return path
	}
	segments := strings.Split(path, "/")
	for i, s := range segments {
		if name, _, found := strings.Cut(s, ";"); found && (name == "." || name == "..") {
			segments[i] = name
		}
	}
	return strings.Join(segments, "/")
}

func mergeSlashes(path string) string {
	if !strings.Contains(path, "//") {
		return path
	}
	kept := strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
	merged := "/" + strings.Join(kept, "/")
	if strings.HasSuffix(path, "/") {
		merged += "/"
	}
	return merged
}

// canonicaliser walks a path as the URL library in Envoy does: dot segments are
// resolved, unreserved characters unescaped, unsafe ones escaped.
type canonicaliser struct {
	in  string
	out []byte
	// invalid is the index in out of the last "%" that begins no escape; -1 for none.
	invalid int
}

func canonical(path string) (string, bool) {
	c := canonicaliser{in: path, out: make([]byte, 0, len(path)), invalid: -1}
	for i := 0; i < len(path); {
		next, ok := c.step(i)
		if !ok {
			return "", false
		}
		i = next
	}
	return string(c.out), true
}

// step takes in what begins at in[i], and returns where the next begins.
func (c *canonicaliser) step(i int) (next int, ok bool) {
	if n := dot(c.in, i); n > 0 {
		return c.dots(i, n), true
	}
	switch ch := c.in[i]; {
	case ch == '\\':
		c.out = append(c.out, '/')
	case ch == '%':
		return c.percent(i)
	case strings.IndexByte("\"<>^`{|}", ch) >= 0:
		c.out = append(c.out, '%', upperHex[ch>>4], upperHex[ch&15])
	default:
		c.out = append(c.out, ch)
	}
	return i + 1, true
}

const upperHex = "0123456789ABCDEF"

// dot is the length of a dot at in[i], plain or escaped; 0 when there is none.
func dot(in string, i int) int {
	switch {
	case i >= len(in):
		return 0
	case in[i] == '.':
		return 1
	case len(in) >= i+3 && in[i] == '%' && in[i+1] == '2' && in[i+2]|0x20 == 'e':
		return 3
	}
	return 0
}

// dots takes in a dot of n bytes at in[i], with the segment if it is "." or "..".
func (c *canonicaliser) dots(i, n int) (next int) {
	i += n
	if len(c.out) == 0 || c.out[len(c.out)-1] != '/' {
		c.out = append(c.out, '.')
		return i
	}
	if end, ok := segmentEnd(c.in, i); ok {
		return end
	}
	if m := dot(c.in, i); m > 0 {
		if end, ok := segmentEnd(c.in, i+m); ok {
			c.up()
			return end
		}
	}
	c.out = append(c.out, '.')
	return i
}

// segmentEnd tells whether a segment ends at in[i], and where the next begins.
func segmentEnd(in string, i int) (int, bool) {
	if i >= len(in) {
		return i, true
	}
	return i + 1, in[i] == '/' || in[i] == '\\'
}

// up drops the last segment; the output ends in a slash before and after.
func (c *canonicaliser) up() {
	end := len(c.out) - 1
	for end > 0 && c.out[end-1] != '/' {
		end--
	}
	if end > 0 {
		c.out = c.out[:end]
	}
	if c.invalid >= len(c.out) {
		c.invalid = -1
	}
}

// percent takes in a percent sign at in[i] and the escape that it begins, if any.
func (c *canonicaliser) percent(i int) (next int, ok bool) {
	value, ok := unescape(c.in[i:])
	switch {
	case !ok:
		c.invalid = len(c.out)
		c.out = append(c.out, '%')
		return i + 1, true
	case value == 0:
		return i, false
	case unreserved(value):
		c.out = append(c.out, value)
		if c.invalid >= 0 && c.invalid >= len(c.out)-3 {
			c.nested(i + 3)
		}
	default:
		c.out = append(c.out, c.in[i:i+3]...)
	}
	return i + 3, true
}

// nested keeps an unescaped character from completing an escape with an earlier
// lone "%": that one is escaped itself. next is the index in the input.
func (c *canonicaliser) nested(next int) {
	last := c.out[len(c.out)-1]
	ahead := c.invalid == len(c.out)-2
	tail := string(c.out[c.invalid:])
	if ahead {
		if next >= len(c.in) {
			return
		}
		tail += c.in[next : next+1]
	}
	if _, ok := unescape(tail); !ok {
		return
	}
	first := c.out[c.invalid+1]
	c.out = append(c.out[:c.invalid], "%25"...)
	if !ahead {
		c.out = append(c.out, first)
	}
	c.out = append(c.out, last)
}

func unescape(s string) (byte, bool) {
	if len(s) < 3 || s[0] != '%' {
		return 0, false
	}
	hi, lo := hexDigit(s[1]), hexDigit(s[2])
	return byte(hi<<4 | lo), hi >= 0 && lo >= 0
}

func hexDigit(c byte) int {
	if c >= 'A' && c <= 'F' {
		c += 'a' - 'A'
	}
	return strings.IndexByte("0123456789abcdef", c)
}

func unreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0
}
