package policies

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/policies/sieve"
)

// doc is an object of keys and values in turns. Of equal keys the last counts.
func doc(pairs ...any) *sieve.Record {
	out := &sieve.Record{Names: make([]string, 0, len(pairs)/2), Values: make([]any, 0, len(pairs)/2)}
	for i := 0; i+1 < len(pairs); i += 2 {
		out.Set(pairs[i].(string), value(pairs[i+1]))
	}
	return out
}

// astDoc is an object of keys and values in turns, as OPA has it.
func astDoc(pairs ...any) ast.Object {
	out := make([][2]*ast.Term, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		out = append(out, [2]*ast.Term{ast.InternedTerm(pairs[i].(string)), ast.NewTerm(sieve.ToAST(value(pairs[i+1])))})
	}
	return ast.NewObject(out...)
}

// value is a Go value as rules have it.
func value(v any) any {
	switch v := v.(type) {
	case *sieve.Record, string, bool, int64, []any, ast.Value, sieve.Map:
		return v
	case int:
		return int64(v)
	case []string:
		out := make([]any, len(v))
		for i, s := range v {
			out[i] = s
		}
		return out
	}
	panic(fmt.Sprintf("policies: a value of type %T", v))
}

func textMap(m map[string]string) *sieve.Record {
	out := &sieve.Record{Names: slices.Sorted(maps.Keys(m)), Values: make([]any, 0, len(m))}
	for _, k := range out.Names {
		out.Values = append(out.Values, m[k])
	}
	return out
}

// nodeValue is a written value as rules have it; keys that are no text become it.
func nodeValue(n *yaml.Node) any {
	switch n.Kind {
	case yaml.MappingNode:
		return mappingValue(n)
	case yaml.SequenceNode:
		out := make([]any, len(n.Content))
		for i, item := range n.Content {
			out[i] = nodeValue(item)
		}
		return out
	case yaml.DocumentNode:
		if len(n.Content) > 0 {
			return nodeValue(n.Content[0])
		}
	case yaml.ScalarNode:
		switch v := syntax.Plain(n).(type) {
		case string, bool:
			return v
		case float64:
			return numberValue(v)
		}
	}
	return nil
}

// mappingValue is a mapping; of equal keys the last counts.
func mappingValue(n *yaml.Node) *sieve.Record {
	size := len(n.Content) / 2
	out := &sieve.Record{Names: make([]string, 0, size), Values: make([]any, 0, size)}
	at := map[string]int(nil)
	if size > 8 {
		at = make(map[string]int, size)
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, v := n.Content[i].Value, nodeValue(n.Content[i+1])
		if at == nil {
			out.Set(key, v)
		} else if place, twice := at[key]; twice {
			out.Values[place] = v
		} else {
			at[key] = len(out.Names)
			out.Names, out.Values = append(out.Names, key), append(out.Values, v)
		}
	}
	return out
}

// numberValue is a whole number where it is one that every engine computes alike.
func numberValue(v float64) any {
	if v == float64(int64(v)) && max(v, -v) < 1<<52 {
		return int64(v)
	}
	return v
}

// plainNumbers turns JSON numbers into float64, as meshc.yaml gives them.
func plainNumbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		f, err := v.Float64()
		if err != nil {
			return v.String()
		}
		return f
	case int:
		return float64(v)
	case int64:
		return float64(v)
	case uint64:
		return float64(v)
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = plainNumbers(e)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = plainNumbers(e)
		}
		return out
	}
	return v
}
