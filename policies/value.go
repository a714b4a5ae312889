package policies

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/open-policy-agent/opa/v1/ast"
	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/compiler/syntax"
)

// doc is an object of keys and values in turns.
func doc(pairs ...any) ast.Object {
	out := make([][2]*ast.Term, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		out = append(out, [2]*ast.Term{ast.InternedTerm(pairs[i].(string)), ast.NewTerm(value(pairs[i+1]))})
	}
	return ast.NewObject(out...)
}

// value is a Go value as Rego has it.
func value(v any) ast.Value {
	switch v := v.(type) {
	case ast.Value:
		return v
	case string:
		return ast.String(v)
	case bool:
		return ast.Boolean(v)
	case int:
		return ast.Number(json.Number(strconv.Itoa(v)))
	case int64:
		return ast.Number(json.Number(strconv.FormatInt(v, 10)))
	case []string:
		terms := make([]*ast.Term, len(v))
		for i, s := range v {
			terms[i] = ast.StringTerm(s)
		}
		return ast.NewArray(terms...)
	case []ast.Value:
		terms := make([]*ast.Term, len(v))
		for i, e := range v {
			terms[i] = ast.NewTerm(e)
		}
		return ast.NewArray(terms...)
	}
	panic(fmt.Sprintf("policies: a value of type %T", v))
}

func textMap(m map[string]string) ast.Value {
	pairs := make([][2]*ast.Term, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		pairs = append(pairs, [2]*ast.Term{ast.StringTerm(k), ast.StringTerm(m[k])})
	}
	return ast.NewObject(pairs...)
}

// nodeValue is a written value as Rego has it; keys that are no text become it.
func nodeValue(n *yaml.Node) ast.Value {
	switch n.Kind {
	case yaml.MappingNode:
		pairs := make([][2]*ast.Term, 0, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			pairs = append(pairs, [2]*ast.Term{ast.InternedTerm(n.Content[i].Value), ast.NewTerm(nodeValue(n.Content[i+1]))})
		}
		return ast.NewObject(pairs...)
	case yaml.SequenceNode:
		terms := make([]*ast.Term, len(n.Content))
		for i, item := range n.Content {
			terms[i] = ast.NewTerm(nodeValue(item))
		}
		return ast.NewArray(terms...)
	case yaml.DocumentNode:
		if len(n.Content) > 0 {
			return nodeValue(n.Content[0])
		}
	}
	switch v := syntax.Plain(n).(type) {
	case string:
		return ast.String(v)
	case bool:
		return ast.Boolean(v)
	case float64:
		return numberValue(v)
	}
	return ast.NullValue
}

func numberValue(v float64) ast.Value {
	if v == float64(int64(v)) {
		return value(int64(v))
	}
	return ast.Number(json.Number(strconv.FormatFloat(v, 'g', -1, 64)))
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
