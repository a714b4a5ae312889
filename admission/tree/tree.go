// Package tree handles objects as JSON or YAML decodes them, for who changes them
// without knowing all of their fields.
package tree

import "encoding/json"

// Object is a map as it is decoded.
type Object = map[string]any

// Clone copies a decoded value, so that the copy shares nothing with it.
func Clone(v any) any {
	switch v := v.(type) {
	case Object:
		out := make(Object, len(v))
		for k, e := range v {
			out[k] = Clone(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for n, e := range v {
			out[n] = Clone(e)
		}
		return out
	}
	return v
}

// Whole reads a whole number, however it was decoded.
func Whole(v any) (int64, bool) {
	switch n := v.(type) {
	case int:
		return int64(n), true
	case int64:
		return n, true
	case float64:
		return int64(n), n == float64(int64(n))
	case json.Number:
		i, err := n.Int64()
		return i, err == nil
	}
	return 0, false
}
