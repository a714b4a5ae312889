package lsp

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/lsp/protocol"
)

// cursor is a place at which something is being typed, in the structure around it.
type cursor struct {
	version, kind string // of the object, as far as written
	root          *yaml.Node
	path          []any // of the value that is typed; of a key, that of its map
	key           bool  // a key is typed
	alone         bool  // the value stands on a line of its own: it may become a map
	flow          bool  // within brackets
	start, end    int   // of the word, in bytes of the text
}

// mark stands for the cursor while the text is parsed.
const mark = "meshcXcursor"

// longest bounds a document in which something is completed, in bytes.
const longest = 1 << 20

// cursorAt finds out what is being typed. What is typed is seldom whole: the text is
// tried as a value, as a key, with its bracket closed, and without what follows.
func cursorAt(t *protocol.Text, p protocol.Position, e protocol.Encoding) (*cursor, bool) {
	at := t.Offset(p, e)
	from, to := documentAround(t, int(p.Line))
	if to-from > longest {
		return nil, false
	}
	line := t.Line(int(p.Line))
	begin := t.Offset(protocol.Position{Line: p.Line}, e)
	word, after := at, at
	for word > begin && !strings.ContainsRune(" \t[]{},\"'", rune(t.Data[word-1])) {
		word--
	}
	for after < begin+len(line) && !strings.ContainsRune(" \t[]{},\"':", rune(t.Data[after])) {
		after++
	}
	before := string(t.Data[from:after]) + mark
	rest, end := string(t.Data[after:to]), begin+len(line)
	behind := ""
	if after <= end {
		behind = string(t.Data[end:to])
	}
	for _, text := range []string{
		before + rest,
		before + ": x" + rest,
		before + "]" + behind, before + "}" + behind, before + ": x}" + behind,
		before, before + ": x", before + "]", before + "}", before + ": x}",
	} {
		var doc yaml.Node
		if !parsed(text, &doc) || len(doc.Content) == 0 {
			continue
		}
		c := &cursor{root: doc.Content[0], start: word, end: after}
		if c.find(c.root, nil) {
			c.version, c.kind = c.textAt("apiVersion"), c.textAt("kind")
			c.alone = strings.Trim(string(t.Data[begin:word]), " -") == "" && !c.flow
			return c, true
		}
	}
	return nil, false
}

func parsed(text string, into *yaml.Node) (ok bool) {
	defer func() {
		if recover() != nil { // the parser's own fault: there is nothing to offer
			ok = false
		}
	}()
	return yaml.Unmarshal([]byte(text), into) == nil
}

// documentAround is the YAML document that a line lies in, in bytes.
func documentAround(t *protocol.Text, line int) (from, to int) {
	marks := func(n int) bool { return strings.HasPrefix(string(t.Line(n)), "---") }
	first, last := line, line+1
	for first > 0 && !marks(first) {
		first--
	}
	for last < t.Lines() && !marks(last) {
		last++
	}
	return t.Offset(protocol.Position{Line: uint32(first)}, protocol.UTF8), t.Offset(protocol.Position{Line: uint32(last)}, protocol.UTF8)
}

// find looks for the mark below a node.
func (c *cursor) find(n *yaml.Node, path []any) bool {
	flow := n.Style&yaml.FlowStyle != 0
	down := func(n *yaml.Node, step any) bool {
		found := c.find(n, append(path[:len(path):len(path)], step))
		if found && flow {
			c.flow = true
		}
		return found
	}
	switch n.Kind {
	case yaml.ScalarNode:
		if strings.Contains(n.Value, mark) {
			c.path = path
			return true
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if strings.Contains(n.Content[i].Value, mark) {
				c.path, c.key, c.flow = path, true, flow
				return true
			}
			if down(n.Content[i+1], n.Content[i].Value) {
				return true
			}
		}
	case yaml.SequenceNode:
		for i, item := range n.Content {
			if down(item, i) {
				return true
			}
		}
	}
	return false
}

// textAt is a text elsewhere in the object.
func (c *cursor) textAt(path ...any) string {
	n, _, left := source.Find(c.root, path)
	if len(left) > 0 || n.Kind != yaml.ScalarNode || strings.Contains(n.Value, mark) {
		return ""
	}
	return n.Value
}

// beside is a text in the map that the value at the cursor stands in.
func (c *cursor) beside(name string) string {
	path := c.path
	for len(path) > 0 {
		if _, field := path[len(path)-1].(string); field {
			break
		}
		path = path[:len(path)-1]
	}
	if len(path) == 0 {
		return ""
	}
	return c.textAt(append(path[:len(path)-1:len(path)-1], name)...)
}

// namespace is that of the object.
func (c *cursor) namespace() string { return c.textAt("metadata", "namespace") }

// union is the path without the places of items, and as in the newest version:
// spec.rules.name.
func (c *cursor) union() string {
	var out []string
	for _, step := range c.path {
		if s, ok := step.(string); ok {
			out = append(out, s)
		}
	}
	if len(out) > 0 && out[0] == "specs" {
		out[0] = "rules"
	}
	if len(out) > 0 && out[0] != "spec" && out[0] != "metadata" && strings.Contains(c.version, "smi-spec.io/") {
		out = append([]string{"spec"}, out...)
	}
	return strings.Join(out, ".")
}

// item tells whether the value is an entry of a list.
func (c *cursor) item() bool {
	if len(c.path) == 0 {
		return false
	}
	_, ok := c.path[len(c.path)-1].(int)
	return ok
}
