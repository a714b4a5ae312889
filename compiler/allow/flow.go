package allow

import (
	"encoding/json"
	"strings"

	"go.yaml.in/yaml/v3"
)

// intoFlow writes the entry before the bracket that closes a list: in its last line, or
// in a line of its own where the last entry has one.
func (d *draft) intoFlow(first int, list *yaml.Node, entry []string, isJSON bool) bool {
	start := lineStart(d.data, first+list.Line)
	from := columnOffset(lineOf(d.data, first+list.Line), list.Column)
	if from < 0 || start+from >= len(d.data) || d.data[start+from] != '[' {
		return false
	}
	end := closing(d.data, start+from)
	var root yaml.Node
	if end < 0 || yaml.Unmarshal([]byte(strings.Join(entry, "\n")), &root) != nil || len(root.Content) != 1 {
		return false
	}
	for end > start+from && strings.IndexByte(" \t\r\n,", d.data[end-1]) >= 0 {
		end--
	}
	text := ", "
	if last := list.Content[len(list.Content)-1]; last.Line > list.Line {
		line := lineOf(d.data, first+last.Line)
		if at := columnOffset(line, last.Column); at >= 0 && strings.TrimSpace(string(line[:at])) == "" {
			text = ",\n" + string(line[:at])
		}
	}
	d.inserts = append(d.inserts, insertion{end, text + inFlow(root.Content[0], isJSON)})
	return true
}

// closing is where the bracket or brace that stands at an offset is closed; -1: it is
// not. Comments hide what stands in them, and would hide what is written behind them.
func closing(data []byte, from int) int {
	depth, quote := 0, byte(0)
	for i := from; i < len(data); i++ {
		switch c := data[i]; {
		case quote != 0:
			if c == '\\' && quote == '"' {
				i++
			} else if c == quote {
				quote = 0
			}
		case (c == '"' || c == '\'') && strings.IndexByte(" \t\r\n,[{:", data[i-1]) >= 0:
			quote = c
		case c == '#' && strings.IndexByte(" \t\n", data[i-1]) >= 0:
			return -1
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// inFlow writes a value in one line, as JSON or as people write YAML.
func inFlow(n *yaml.Node, isJSON bool) string {
	var parts []string
	switch n.Kind {
	case yaml.SequenceNode:
		for _, c := range n.Content {
			parts = append(parts, inFlow(c, isJSON))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			parts = append(parts, inFlow(n.Content[i], isJSON)+": "+inFlow(n.Content[i+1], isJSON))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	switch {
	case n.Tag != "!!str":
		return n.Value
	case isJSON:
		var b strings.Builder
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		_ = e.Encode(n.Value) // a text always is JSON, and the builder takes all
		return strings.TrimSuffix(b.String(), "\n")
	}
	return flow(n.Value)
}
