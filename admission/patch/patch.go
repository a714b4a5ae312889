// Package patch tells how one JSON document becomes another: two decoded values in,
// a JSON Patch (RFC 6902) out that touches only what differs. It does not know what
// the documents mean, but for one thing: elements of a list that have a name are
// told apart by it.
package patch

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Operation is one step of a patch. An add and a replace have a value, which may be
// null; a remove has none.
type Operation struct {
	Op    string `json:"op"`    // add, remove, replace
	Path  string `json:"path"`  // a JSON Pointer
	Value any    `json:"value"` // also where it is null; see Write for a remove
}

// Write is a patch as JSON.
func Write(ops []Operation) ([]byte, error) {
	type bare struct {
		Op   string `json:"op"`
		Path string `json:"path"`
	}
	list := make([]any, len(ops))
	for i, o := range ops {
		if list[i] = o; o.Op == "remove" {
			list[i] = bare{o.Op, o.Path}
		}
	}
	return encode(list)
}

// encode writes without the escapes that HTML would need.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// Between is the patch that makes after of before: nil where they are equal. Both
// are values as JSON decodes them, with numbers of any kind, and stay as they are; the
// patch shares with after.
func Between(before, after any) []Operation {
	var d differ
	if !equal(before, after) {
		d.value("", before, after)
	}
	return d.ops
}

type differ struct{ ops []Operation }

func (d *differ) add(op, path string, value any) {
	d.ops = append(d.ops, Operation{op, path, value})
}

// value is asked only where something differs: most of a document does not, and a path
// is made for none of that.
func (d *differ) value(path string, before, after any) {
	switch b := before.(type) {
	case map[string]any:
		if a, ok := after.(map[string]any); ok && a != nil && b != nil {
			d.object(path, b, a)
			return
		}
	case []any:
		if a, ok := after.([]any); ok && a != nil && b != nil {
			d.list(path, b, a)
			return
		}
	}
	d.add("replace", path, after)
}

// equal compares two values of any kind. A nil map or list is like no other.
func equal(before, after any) bool {
	switch b := before.(type) {
	case map[string]any:
		a, ok := after.(map[string]any)
		if !ok || len(a) != len(b) || (a == nil) != (b == nil) {
			return false
		}
		for key, was := range b {
			if now, stays := a[key]; !stays || !equal(was, now) {
				return false
			}
		}
		return true
	case []any:
		a, ok := after.([]any)
		return ok && (a == nil) == (b == nil) && slices.EqualFunc(b, a, equal)
	case nil, string, bool:
		return before == after
	case json.Number, float64, int, int64:
		was, ok := number(b)
		now, okNow := number(after)
		return ok && okNow && was == now
	}
	return reflect.DeepEqual(before, after)
}

// number is how a number is written. That 1.0 is 1 does not matter: it is then written
// again, and means the same.
func number(v any) (string, bool) {
	switch n := v.(type) {
	case json.Number:
		return string(n), true
	case int:
		return strconv.Itoa(n), true
	case int64:
		return strconv.FormatInt(n, 10), true
	case float64:
		if n == float64(int64(n)) {
			return strconv.FormatInt(int64(n), 10), true
		}
		return strconv.FormatFloat(n, 'g', -1, 64), true
	}
	return "", false
}

func (d *differ) object(path string, before, after map[string]any) {
	for _, key := range slices.Sorted(maps.Keys(before)) {
		if _, stays := after[key]; !stays {
			d.add("remove", path+"/"+escape(key), nil)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(after)) {
		switch b, had := before[key]; {
		case !had:
			d.add("add", path+"/"+escape(key), after[key])
		case !equal(b, after[key]):
			d.value(path+"/"+escape(key), b, after[key])
		}
	}
}

// list changes a list from its first element to its last, so that every index is one
// of the list as it is by then.
func (d *differ) list(path string, before, after []any) {
	kept := common(keys(before), keys(after))
	if kept == nil {
		d.add("replace", path, after)
		return
	}
	at, i := 0, 0 // in the list as it is by then; in before
	next := func(until int) {
		for ; i < until; i++ {
			d.add("remove", path+"/"+strconv.Itoa(at), nil)
		}
	}
	for j := range after {
		if len(kept) > 0 && kept[0].after == j {
			next(kept[0].before)
			if !equal(before[i], after[j]) {
				d.value(path+"/"+strconv.Itoa(at), before[i], after[j])
			}
			kept, i = kept[1:], i+1
		} else {
			d.add("add", path+"/"+strconv.Itoa(at), after[j])
		}
		at++
	}
	next(len(before))
}

// keys are what elements are told apart by: their name, else all that they are.
func keys(list []any) []string {
	out := make([]string, len(list))
	for i, e := range list {
		if o, ok := e.(map[string]any); ok {
			if name, ok := o["name"].(string); ok {
				out[i] = "name " + name
				continue
			}
		}
		text, err := encode(e)
		if err != nil { // no value that JSON decodes fails; such a one is like no other
			text = strconv.AppendInt([]byte("at "), int64(i), 10)
		}
		out[i] = "is " + string(text)
	}
	return out
}

type match struct{ before, after int }

// mostPairs bounds what the comparison of two lists costs.
const mostPairs = 1 << 20

// common is a longest common subsequence, in order; nil where the lists are too long
// to be compared.
func common(before, after []string) []match {
	out := []match{}
	from := 0
	for from < len(before) && from < len(after) && before[from] == after[from] {
		out = append(out, match{from, from})
		from++
	}
	b, a := before[from:], after[from:]
	end := 0
	for end < len(b) && end < len(a) && b[len(b)-1-end] == a[len(a)-1-end] {
		end++
	}
	b, a = b[:len(b)-end], a[:len(a)-end]
	if len(b)*len(a) > mostPairs {
		return nil
	}
	for _, m := range longest(b, a) {
		out = append(out, match{from + m.before, from + m.after})
	}
	for i := range end {
		out = append(out, match{from + len(b) + i, from + len(a) + i})
	}
	return out
}

func longest(b, a []string) []match {
	width := len(a) + 1
	best := make([]int32, (len(b)+1)*width) // of what follows i and j
	for i := len(b) - 1; i >= 0; i-- {
		for j := len(a) - 1; j >= 0; j-- {
			if b[i] == a[j] {
				best[i*width+j] = best[(i+1)*width+j+1] + 1
			} else {
				best[i*width+j] = max(best[(i+1)*width+j], best[i*width+j+1])
			}
		}
	}
	var out []match
	for i, j := 0, 0; i < len(b) && j < len(a); {
		switch {
		case b[i] == a[j]:
			out = append(out, match{i, j})
			i, j = i+1, j+1
		case best[(i+1)*width+j] >= best[i*width+j+1]:
			i++
		default:
			j++
		}
	}
	return out
}

var pointer = strings.NewReplacer("~", "~0", "/", "~1")

// escape writes a key as a part of a JSON Pointer.
func escape(key string) string { return pointer.Replace(key) }
