package syntax

import (
	"math"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
)

// wrongType reports a value of another type than the field takes.
func (c *cursor) wrongType(want string) *diag.Finding {
	f := c.fault("MSH0102", "%s takes %s, not %s", pathText(c.path()), want, describe(c.n))
	if want == "text" && c.n.Kind == yaml.ScalarNode {
		*f = f.WithHelp("put it in quotation marks: %q", c.n.Value).
			WithFix("put it in quotation marks", diag.Edit{Span: c.span(), NewText: strconv.Quote(c.n.Value)})
	} else {
		*f = f.WithHelp("write %s here", want)
	}
	return f
}

// describe says what a value is.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a map"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.Tag {
	case "!!int", "!!float":
		return "the number " + n.Value
	case "!!bool":
		return "the boolean " + n.Value
	case "!!null":
		return "nothing"
	}
	return "the text " + strconv.Quote(n.Value)
}

// text is the value of a field that takes text.
func (c *cursor) text() string {
	if c.null() {
		return ""
	}
	if c.n.Kind != yaml.ScalarNode || c.n.Tag == "!!int" || c.n.Tag == "!!float" || c.n.Tag == "!!bool" {
		c.wrongType("text")
		return ""
	}
	if c.n.Style == 0 && source.IsBoolWord(c.n.Value) && c.d.job.rendered == nil {
		c.d.fault(source.BoolWord(c.span(), c.n.Value), c.path())
	}
	return c.n.Value
}

// whole is the value of a field that takes a whole number; ok is false when it
// is none, which is then a finding. 10.0 is a whole number.
func (c *cursor) whole() (v int64, ok bool) {
	if c.null() {
		return 0, false
	}
	if v, ok := wholeNumber(c.n); ok {
		return v, true
	}
	f := c.wrongType("a whole number")
	if _, err := strconv.ParseInt(c.n.Value, 10, 64); err == nil && c.n.Kind == yaml.ScalarNode {
		*f = f.WithHelp("write it without quotation marks: %s", c.n.Value).
			WithFix("drop the quotation marks", diag.Edit{Span: c.span(), NewText: c.n.Value})
	}
	return 0, false
}

func wholeNumber(n *yaml.Node) (int64, bool) {
	if n.Kind != yaml.ScalarNode {
		return 0, false
	}
	switch n.Tag {
	case "!!int":
		v, err := strconv.ParseInt(strings.ReplaceAll(n.Value, "_", ""), 0, 64)
		return v, err == nil
	case "!!float":
		v, err := strconv.ParseFloat(n.Value, 64)
		if err != nil || v != math.Trunc(v) || math.Abs(v) > 1<<53 {
			return 0, false
		}
		return int64(v), true
	}
	return 0, false
}

// boolean is the value of a field that takes true or false; nil if not written.
func (c *cursor) boolean() *bool {
	if c.null() {
		return nil
	}
	if c.n.Kind == yaml.ScalarNode {
		switch {
		case c.n.Tag == "!!bool", c.n.Style == 0 && source.IsBoolWord(c.n.Value):
			v := strings.ContainsAny(c.n.Value[:1], "tTyY") || strings.EqualFold(c.n.Value, "on")
			return &v
		}
	}
	c.takes("true", "false")
	c.wrongType("true or false")
	return nil
}

// port is a port number from 1 to 65535; 0 when it is none.
func (c *cursor) port() int64 {
	v, ok := c.whole()
	if !ok {
		return 0
	}
	if v < 1 || v > 65535 {
		f := c.fault("MSH0116", "%d is not a port", v)
		*f = f.WithHelp("ports are whole numbers from 1 to 65535")
		return 0
	}
	return v
}

// oneOf is a text that must be one of a few.
func (c *cursor) oneOf(allowed ...string) string {
	v := c.text()
	if c.null() || v == "" {
		return v
	}
	c.takes(allowed...)
	for _, a := range allowed {
		if v == a {
			return v
		}
	}
	f := c.fault("MSH0117", "%q is not one of those that %s takes", v, pathText(c.path()))
	*f = f.WithHelp("write one of %s", list(allowed))
	if near := nearestFold(v, allowed); near != "" {
		*f = f.WithHelp("did you mean %q?", near).
			WithFix("write "+near, diag.Edit{Span: c.span(), NewText: near})
	}
	return v
}

// nearestFold is the nearest candidate, first by letters of another case.
func nearestFold(s string, allowed []string) string {
	for _, a := range allowed {
		if strings.EqualFold(s, a) {
			return a
		}
	}
	return diag.Nearest(s, allowed)
}

// list joins words for a sentence.
func list(words []string) string {
	if len(words) == 0 {
		return "none"
	}
	if len(words) == 1 {
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
