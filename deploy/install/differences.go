package install

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/meshc/meshc/deploy/api"
)

// Difference is what a plan changes of an object.
type Difference struct {
	Change
	Fields []Field
}

// Field is one that would be another; empty texts stand for none.
type Field struct{ Path, Before, After string }

// Differences are what a plan would change, field by field: the API server is asked for
// each object as a dry run, so that what it fills in by itself is no difference.
func Differences(ctx context.Context, c *api.Client, p *Plan, before *Record) ([]Difference, error) {
	var out []Difference
	now := &Record{}
	for _, o := range p.All() {
		ref := api.RefOf(o)
		now.Objects = append(now.Objects, Item{Ref: ref})
		was, err := c.Get(ctx, ref)
		if api.Gone(err) {
			out = append(out, Difference{Change: Change{What: Created, Object: ref}})
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", ref, err)
		}
		is, err := c.Apply(ctx, o, true)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", ref, err)
		}
		if fields := fieldsOf("", plainly(was), plainly(is)); len(fields) > 0 {
			out = append(out, Difference{Change{What: Changed, Object: ref}, fields})
		}
	}
	if before == nil {
		return out, nil
	}
	for _, i := range before.Objects {
		if _, still := now.item(i.Ref); !still && !i.Found && !i.Kept {
			out = append(out, Difference{Change: Change{What: Deleted, Object: i.Ref}})
		}
	}
	return out, nil
}

// plainly is an object without what the API server keeps of it.
func plainly(o api.Object) api.Object {
	out := maps.Clone(o)
	delete(out, "status")
	if meta, ok := out["metadata"].(api.Object); ok {
		meta = maps.Clone(meta)
		for _, name := range []string{"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp"} {
			delete(meta, name)
		}
		out["metadata"] = meta
	}
	return out
}

// fieldsOf compares two values; elements of lists that have names are compared by name.
func fieldsOf(path string, a, b any) []Field {
	x, isRecord := a.(api.Object)
	y, other := b.(api.Object)
	if isRecord && other {
		return recordFields(path, x, y)
	}
	l, isList := a.([]any)
	m, other := b.([]any)
	if isList && other {
		byName, named := names(l)
		byOther, also := names(m)
		if named && also {
			return recordFields(path, byName, byOther)
		}
	}
	s, t := show(a), show(b)
	if s == t {
		return nil
	}
	return []Field{{path, s, t}}
}

func recordFields(path string, x, y api.Object) []Field {
	keys := maps.Clone(x)
	maps.Copy(keys, y)
	var out []Field
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		at := k
		if path != "" {
			at = path + "." + k
		}
		out = append(out, fieldsOf(at, x[k], y[k])...)
	}
	return out
}

// names makes a record of a list whose elements all have names of their own.
func names(list []any) (api.Object, bool) {
	out := api.Object{}
	for _, e := range list {
		r, _ := e.(api.Object)
		name, ok := r["name"].(string)
		if _, twice := out[name]; !ok || twice {
			return nil, false
		}
		out[name] = r
	}
	return out, true
}

// shown bounds how much of a value is shown, in bytes.
const shown = 200

func show(v any) string {
	if v == nil {
		return ""
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // it was JSON
	text := strings.TrimSuffix(out.String(), "\n")
	if len(text) > shown {
		return text[:shown] + "..."
	}
	return text
}
