package sieve

import (
	"slices"
	"strconv"
	"strings"
)

// textsOf are the texts of a list or set, in the order of Rego.
func (m *Machine) textsOf(v any) ([]string, bool) {
	switch x := v.(type) {
	case []any:
		out := m.texts(x)
		return out, out != nil
	case *Set:
		out := m.texts(x.Items)
		slices.Sort(out)
		return out, out != nil
	}
	return nil, false
}

func join(m *Machine, a []any) any {
	by, ok := a[0].(string)
	parts, also := m.textsOf(a[1])
	size := 0
	for _, p := range parts {
		size += len(p) + len(by)
	}
	if !ok || !also || size > maxText {
		return fail(m)
	}
	return strings.Join(parts, by)
}

func sorted(m *Machine, a []any) any {
	texts, ok := m.textsOf(a[0])
	if !ok {
		return fail(m)
	}
	slices.Sort(texts)
	return list(texts)
}

func extreme(least bool) func(m *Machine, a []any) any {
	return func(m *Machine, a []any) any {
		texts, ok := m.textsOf(a[0])
		switch {
		case !ok:
			return fail(m)
		case len(texts) == 0:
			return Undefined
		case least:
			return slices.Min(texts)
		}
		return slices.Max(texts)
	}
}

func anyMatch(match func(s, part string) bool) func(*Machine, []any) any {
	return func(m *Machine, a []any) any {
		s, ok := a[0].(string)
		parts, also := m.textsOf(a[1])
		if part, single := a[1].(string); single {
			parts, also = []string{part}, true
		}
		if !ok || !also {
			return fail(m)
		}
		return slices.ContainsFunc(parts, func(p string) bool { return match(s, p) })
	}
}

// format knows texts for %s and %q and whole numbers for %d.
func format(m *Machine, a []any) any {
	text, ok := a[0].(string)
	args, also := a[1].([]any)
	if !ok || !also {
		return fail(m)
	}
	var out strings.Builder
	for n := 0; ; n++ {
		before, after, more := strings.Cut(text, "%")
		out.WriteString(before)
		if !more {
			if n != len(args) || out.Len() > maxText {
				return fail(m)
			}
			return out.String()
		}
		if after == "" || n >= len(args) {
			return fail(m)
		}
		s, isText := args[n].(string)
		number, isNumber := args[n].(int64)
		switch {
		case after[0] == 's' && isText:
			out.WriteString(s)
		case after[0] == 'q' && isText:
			out.WriteString(strconv.Quote(s))
		case after[0] == 'd' && isNumber:
			out.WriteString(strconv.FormatInt(number, 10))
		default:
			return fail(m)
		}
		text = after[1:]
	}
}
