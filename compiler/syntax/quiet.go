package syntax

import (
	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/compiler/source"
)

// Quiet readers take what is there and find no fault: the shape of the Go type
// has judged core objects already.

func (r *record) quiet(name string) *cursor {
	if r == nil {
		return nil
	}
	return r.c.quietGet(name)
}

func (c *cursor) quietGet(path ...string) *cursor {
	for _, name := range path {
		if c == nil {
			return nil
		}
		_, v := source.Step(c.n, name)
		if v == nil {
			return nil
		}
		if c = c.down(name, v); c.null() {
			return nil
		}
	}
	return c
}

func (c *cursor) quietText() string {
	if c == nil || c.n.Kind != yaml.ScalarNode || c.n.Tag == "!!null" {
		return ""
	}
	return c.n.Value
}

func (c *cursor) quietMap() map[string]string {
	if c == nil || c.n.Kind != yaml.MappingNode {
		return nil
	}
	out := make(map[string]string, len(c.n.Content)/2)
	for i := 0; i+1 < len(c.n.Content); i += 2 {
		out[c.n.Content[i].Value] = c.down(nil, c.n.Content[i+1]).quietText()
	}
	return out
}

func (c *cursor) quietItems() []*cursor {
	if c == nil || c.n.Kind != yaml.SequenceNode {
		return nil
	}
	out := make([]*cursor, len(c.n.Content))
	for i, n := range c.n.Content {
		out[i] = c.down(i, n)
	}
	return out
}

func (c *cursor) quietStrings() []string {
	var out []string
	for _, item := range c.quietItems() {
		out = append(out, item.quietText())
	}
	return out
}

func (c *cursor) quietInt() int64 {
	if c == nil {
		return 0
	}
	v, _ := wholeNumber(c.n)
	return v
}

func (c *cursor) quietBool() bool {
	return c != nil && c.n.Kind == yaml.ScalarNode && c.n.Tag == "!!bool" && (c.n.Value == "true" || c.n.Value == "True" || c.n.Value == "TRUE")
}
