package sieve

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// ToAST is a value as OPA has it.
func ToAST(v any) ast.Value {
	switch v := v.(type) {
	case string:
		return ast.String(v)
	case bool:
		return ast.Boolean(v)
	case int64:
		return ast.Number(json.Number(strconv.FormatInt(v, 10)))
	case float64:
		if v == float64(int64(v)) {
			return ToAST(int64(v))
		}
		return ast.Number(json.Number(strconv.FormatFloat(v, 'g', -1, 64)))
	case []any:
		terms := make([]*ast.Term, len(v))
		for i, e := range v {
			terms[i] = ast.NewTerm(ToAST(e))
		}
		return ast.NewArray(terms...)
	case *Record:
		pairs := make([][2]*ast.Term, len(v.Names))
		for i, n := range v.Names {
			pairs[i] = [2]*ast.Term{ast.InternedTerm(n), ast.NewTerm(ToAST(v.Values[i]))}
		}
		return ast.NewObject(pairs...)
	case Map:
		return v.AST()
	case ast.Value:
		return v
	}
	return ast.NullValue
}

// FromAST is a value of OPA's; what the sieve does not know stays as it is.
func FromAST(v ast.Value) any {
	switch v := v.(type) {
	case ast.String:
		return string(v)
	case ast.Boolean:
		return bool(v)
	case ast.Null:
		return nil
	case ast.Number:
		if n, ok := v.Int64(); ok && n > -maxInt && n < maxInt && !strings.ContainsAny(string(v), ".eE") {
			return n
		}
	case *ast.Array:
		out := make([]any, v.Len())
		for i := range out {
			out[i] = FromAST(v.Elem(i).Value)
		}
		return out
	case ast.Object:
		return fromObject(v)
	case ast.Set:
		s, m := &Set{}, &Machine{}
		for _, t := range v.Slice() {
			m.insert(s, FromAST(t.Value))
		}
		if !m.gaveUp {
			return s
		}
	}
	return v
}

func fromObject(o ast.Object) any {
	fields := map[string]any{}
	for _, k := range o.Keys() {
		name, ok := k.Value.(ast.String)
		if !ok {
			return o
		}
		fields[string(name)] = FromAST(o.Get(k).Value)
	}
	out := &Record{}
	for _, n := range slices.Sorted(maps.Keys(fields)) {
		out.Names, out.Values = append(out.Names, n), append(out.Values, fields[n])
	}
	return out
}

// maxInt bounds numbers that every engine computes alike.
const maxInt = 1 << 52
