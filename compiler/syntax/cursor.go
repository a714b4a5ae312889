package syntax

import (
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
)

// decoder decodes one object.
type decoder struct {
	job   *job
	obj   *Object
	found *diag.List
	count int // of faults
	learn *lesson
}

// mostFaults is how many faults of one object are shown. Each costs a search for
// its place: in an object that is made of faults these would take for ever.
const mostFaults = 200

// full tells that no more faults of the object are shown.
func (d *decoder) full() bool { return d.count >= mostFaults }

// fault records a finding about the object; an error makes it Invalid.
func (d *decoder) fault(f diag.Finding, path []any) {
	if f.Severity == diag.Error {
		d.obj.Invalid = true
	}
	if d.full() {
		return
	}
	if d.count++; d.full() {
		f = f.WithEffect("the object has so many faults that those after this one are not shown")
	}
	d.found.Add(f.About(d.obj.Ref(), pathText(path)))
}

// cursor stands on a value of the object. A nil cursor stands on nothing: all
// its methods give zero values and find no fault.
type cursor struct {
	d   *decoder
	n   *yaml.Node
	up  *cursor
	key any
}

func (c *cursor) path() []any {
	var out []any
	for ; c.up != nil; c = c.up {
		out = append(out, c.key)
	}
	slices.Reverse(out)
	return out
}

func (c *cursor) span() diag.Span    { return c.d.at(c.path(), false) }
func (c *cursor) keySpan() diag.Span { return c.d.at(c.path(), true) }

// at is the place of a value, or of its key; of an object with too many faults,
// its first line.
func (d *decoder) at(path []any, key bool) diag.Span {
	switch {
	case d.full():
		return d.job.doc.Point(1, 1)
	case key:
		return d.obj.AtKey(path...)
	}
	return d.obj.At(path...)
}

// fault reports a finding at the value; f is given the span.
func (c *cursor) fault(code diag.Code, format string, args ...any) *diag.Finding {
	return c.faultAt(c.span(), code, format, args...)
}

func (c *cursor) faultAt(at diag.Span, code diag.Code, format string, args ...any) *diag.Finding {
	if c.d.full() {
		f := diag.New(code, at, format, args...)
		c.d.fault(f, nil)
		return &f
	}
	c.d.fault(diag.New(code, at, format, args...), c.path())
	return &(*c.d.found)[len(*c.d.found)-1]
}

func (c *cursor) down(key any, n *yaml.Node) *cursor {
	below := c.d.job.cursors.next()
	*below = cursor{d: c.d, n: n, up: c, key: key}
	return below
}

func (c *cursor) null() bool {
	return c == nil || c.n.Kind == yaml.ScalarNode && c.n.Tag == "!!null"
}

// items are the entries of a list; a null is an empty list.
func (c *cursor) items() []*cursor {
	if c.null() {
		return nil
	}
	if c.n.Kind != yaml.SequenceNode {
		c.wrongType("a list")
		return nil
	}
	out := make([]*cursor, len(c.n.Content))
	for i, n := range c.n.Content {
		out[i] = c.down(i, n)
	}
	return out
}

// entries are the values of a map with free keys, in the order written.
func (c *cursor) entries() []*cursor {
	if c.null() {
		return nil
	}
	if c.n.Kind != yaml.MappingNode {
		c.wrongType("a map")
		return nil
	}
	out := make([]*cursor, 0, len(c.n.Content)/2)
	for i := 0; i+1 < len(c.n.Content); i += 2 {
		out = append(out, c.down(c.n.Content[i].Value, c.n.Content[i+1]))
	}
	return out
}

// strings is a list of texts.
func (c *cursor) strings() []string {
	var out []string
	for _, item := range c.items() {
		out = append(out, item.text())
	}
	return out
}

// stringMap is a map of texts; nil if it was not written.
func (c *cursor) stringMap() map[string]string {
	if c.null() {
		return nil
	}
	out := map[string]string{}
	for _, e := range c.entries() {
		out[e.key.(string)] = e.text()
	}
	return out
}

// record is a map with known fields. Every field that is asked for is known;
// done reports the others.
type record struct {
	c     *cursor
	asked []string
	few   [8]string // room for asked
	open  bool      // unknown fields are allowed
	hints func(field string, at *cursor) string
}

// record reads the value as a map of known fields; nil when it is null or none.
func (c *cursor) record() *record {
	if c.null() {
		return nil
	}
	if c.n.Kind != yaml.MappingNode {
		c.wrongType("a map")
		return nil
	}
	r := c.d.job.cursors.record()
	r.c, r.asked = c, r.few[:0]
	return r
}

// get is the value of a field, nil if it was not written or is null.
func (r *record) get(name string) *cursor {
	if r == nil {
		return nil
	}
	r.asked = append(r.asked, name)
	if _, v := source.Step(r.c.n, name); v != nil {
		if c := r.c.down(name, v); !c.null() {
			return c
		}
	}
	return nil
}

// narrow is get for a field that narrows a policy: without a value it narrows
// nothing, and a template that lost its value must not open a port in silence.
func (r *record) narrow(name string) *cursor {
	c := r.get(name)
	if r == nil || c != nil {
		return c
	}
	if _, v := source.Step(r.c.n, name); v != nil {
		r.lostValue(name, "has no value")
	}
	return nil
}

// narrowList is narrow for a list or map that narrows nothing when it is empty.
func (r *record) narrowList(name string) *cursor {
	c := r.narrow(name)
	if c != nil && c.n.Kind != yaml.ScalarNode && len(c.n.Content) == 0 {
		r.lostValue(name, "is empty")
	}
	return c
}

func (r *record) lostValue(name, how string) {
	path := append(r.c.path(), name)
	r.c.d.fault(diag.New("MSH0121", r.c.d.at(path, true), "%q %s, which narrows nothing", pathText(path), how).
		WithEffect("as if it were left out: everything it could have named is meant").
		WithHelp("give it a value, or delete the line"), path)
}

// need is get for a field that must be there and not be empty.
func (r *record) need(name string) *cursor {
	c := r.get(name)
	if r == nil || c != nil && !(c.n.Kind == yaml.ScalarNode && c.n.Value == "") {
		return c
	}
	r.missing(name)
	return nil
}

func (r *record) missing(name string) {
	path := append(r.c.path(), name)
	at := r.c.span()
	if _, v := source.Step(r.c.n, name); v != nil {
		at = r.c.d.at(path, true)
	}
	f := diag.New("MSH0104", at, "%q is missing", pathText(path)).
		WithHelp("write `%s:` with a value", name)
	r.c.d.fault(f, path)
}

// done reports the fields that nothing asked for.
func (r *record) done() {
	if r == nil {
		return
	}
	if r.c.asks(r.asked); r.open {
		return
	}
	for i := 0; i+1 < len(r.c.n.Content); i += 2 {
		k := r.c.n.Content[i]
		if k.Kind == yaml.ScalarNode && !slices.Contains(r.asked, k.Value) {
			r.unknown(r.c.down(k.Value, r.c.n.Content[i+1]))
		}
	}
}

func (r *record) unknown(c *cursor) {
	unknownField(c, r.asked, r.hints)
}

// unknownField reports a field that its map does not have.
func unknownField(c *cursor, known []string, hints func(string, *cursor) string) {
	name := c.key.(string)
	where := "a " + c.d.obj.Kind
	if up := c.up.path(); len(up) > 0 {
		where = pathText(up)
	}
	f := diag.New("MSH0101", c.keySpan(), "%s has no field %q", where, name)
	near := diag.Nearest(name, known)
	if hints != nil {
		if help := hints(name, c); help != "" {
			c.d.fault(f.WithHelp("%s", help), c.path())
			return
		}
	}
	if near != "" {
		f = f.WithHelp("did you mean %q?", near)
		if _, there := source.Step(c.up.n, near); there == nil {
			f = f.WithFix("write "+near, diag.Edit{Span: c.keySpan(), NewText: near})
		}
	} else if len(known) > 0 && len(known) <= 12 {
		f = f.WithHelp("it has %s", list(known))
	} else {
		f = f.WithHelp("check its spelling and its indentation")
	}
	c.d.fault(f, c.path())
}
