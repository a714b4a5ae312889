package sieve

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxText bounds texts that are made here, in bytes.
const maxText = 16 << 10

// builtin calls a function of Rego's.
type builtin struct {
	of   func(m *Machine, a []any) any
	args []term
}

func (t *builtin) eval(m *Machine, f []any) any {
	at := len(m.stack)
	args := m.frame(len(t.args))
	for i, a := range t.args {
		if args[i] = a.eval(m, f); args[i] == Undefined {
			m.release(at)
			return Undefined
		}
	}
	out := t.of(m, args)
	m.release(at)
	return out
}

// fail is what a function does that the sieve cannot compute, or that fails.
func fail(m *Machine) any { m.giveUp(); return Undefined }

// of1 to of3 are functions of texts.
func of1[R any](f func(string) R) func(*Machine, []any) any {
	return func(m *Machine, a []any) any {
		s, ok := a[0].(string)
		if !ok || len(s) > maxText {
			return fail(m)
		}
		return f(s)
	}
}

func of2[R any](f func(a, b string) R) func(*Machine, []any) any {
	return func(m *Machine, a []any) any {
		s, ok := a[0].(string)
		t, also := a[1].(string)
		if !ok || !also || len(s)+len(t) > maxText {
			return fail(m)
		}
		return f(s, t)
	}
}

// numbers is a function of two whole numbers; ok is false where it has no whole result.
func numbers(f func(a, b int64) (int64, bool)) func(*Machine, []any) any {
	return func(m *Machine, a []any) any {
		x, ok := a[0].(int64)
		y, also := a[1].(int64)
		if ok && also && max(x, -x) < maxInt && max(y, -y) < maxInt {
			if n, whole := f(x, y); whole && n > -maxInt && n < maxInt {
				return n
			}
		}
		return fail(m)
	}
}

// order compares numbers with numbers and texts with texts.
func order(holds func(c int) bool) func(*Machine, []any) any {
	return func(m *Machine, a []any) any {
		switch x := a[0].(type) {
		case int64:
			if y, ok := a[1].(int64); ok {
				return holds(int(max(-1, min(1, x-y))))
			}
		case string:
			if y, ok := a[1].(string); ok {
				return holds(strings.Compare(x, y))
			}
		}
		return fail(m)
	}
}

// builtins are the functions that the sieve computes. All others are beyond it.
var builtins = map[string]func(m *Machine, a []any) any{
	"equal": func(m *Machine, a []any) any { return m.equal(a[0], a[1]) },
	"neq":   func(m *Machine, a []any) any { return !m.equal(a[0], a[1]) },
	"gt":    order(func(c int) bool { return c > 0 }), "gte": order(func(c int) bool { return c >= 0 }),
	"lt": order(func(c int) bool { return c < 0 }), "lte": order(func(c int) bool { return c <= 0 }),
	"plus": numbers(func(a, b int64) (int64, bool) { return a + b, true }),
	"mul":  numbers(func(a, b int64) (int64, bool) { return a * b, max(a, -a) < 1<<26 && max(b, -b) < 1<<26 }),
	"sum": func(m *Machine, a []any) any {
		total := int64(0)
		if m.each(a[0], func(_, v any) bool {
			n, whole := v.(int64)
			total += n
			return !whole || max(n, -n) > maxInt>>20
		}) {
			return fail(m)
		}
		return total
	},
	"count": count, "concat": join, "sprintf": format, "min": extreme(true), "max": extreme(false), "sort": sorted,

	"contains": of2(strings.Contains), "startswith": of2(strings.HasPrefix), "endswith": of2(strings.HasSuffix),
	"trim_prefix": of2(strings.TrimPrefix), "trim_suffix": of2(strings.TrimSuffix), "trim_space": of1(strings.TrimSpace),
	"lower": of1(strings.ToLower), "upper": of1(strings.ToUpper),
	"split": func(m *Machine, a []any) any {
		if a[1] == "" {
			return fail(m)
		}
		return of2(func(s, by string) any { return list(strings.Split(s, by)) })(m, a)
	},
	"strings.count": func(m *Machine, a []any) any {
		if a[1] == "" {
			return fail(m)
		}
		return of2(func(s, t string) any { return int64(strings.Count(s, t)) })(m, a)
	},
	"strings.any_prefix_match": anyMatch(strings.HasPrefix), "strings.any_suffix_match": anyMatch(strings.HasSuffix),
	"to_number": func(m *Machine, a []any) any {
		s, _ := a[0].(string)
		if n, err := strconv.Atoi(s); err == nil && s == strconv.Itoa(n) && len(s) < 12 {
			return int64(n)
		}
		return fail(m)
	},
	"regex.match": func(m *Machine, a []any) any {
		pattern, ok := a[0].(string)
		s, also := a[1].(string)
		if re := m.regex(pattern); ok && also && re != nil && len(s) < maxText {
			return re.MatchString(s)
		}
		return fail(m)
	},
	"regex.is_valid": func(m *Machine, a []any) any {
		if pattern, ok := a[0].(string); ok && m.regex(pattern) != nil {
			return true
		}
		return fail(m) // or it is too long to be known here
	},
	"regex.replace": func(m *Machine, a []any) any {
		s, ok := a[0].(string)
		pattern, also := a[1].(string)
		by, too := a[2].(string)
		if re := m.regex(pattern); ok && also && too && re != nil && len(s)*(len(by)+1) < maxText {
			return re.ReplaceAllString(s, by)
		}
		return fail(m)
	},

	"is_string": is[string], "is_boolean": is[bool], "is_array": is[[]any], "is_set": is[*Set],

	"internal.member_2": func(m *Machine, a []any) any { return m.member(Undefined, a[0], a[1]) },
	"internal.member_3": func(m *Machine, a []any) any { return m.member(a[0], a[1], a[2]) },
	"object.get":        get, "object.union_n": unionN,
	"array.concat": func(m *Machine, a []any) any {
		x, ok := a[0].([]any)
		y, also := a[1].([]any)
		if !ok || !also || len(x)+len(y) > maxItems/100 {
			return fail(m)
		}
		return slices.Concat(x, y)
	},
	"array.reverse": func(m *Machine, a []any) any {
		x, ok := a[0].([]any)
		if !ok {
			return fail(m)
		}
		x = slices.Clone(x)
		slices.Reverse(x)
		return x
	},
	"union": union, "intersection": intersection, "minus": minus,
	"or":  func(m *Machine, a []any) any { return union(m, []any{slices.Clone(a)}) },
	"and": func(m *Machine, a []any) any { return intersection(m, []any{slices.Clone(a)}) },
}

// is tests a type. What is opaque or made lazily is left to OPA.
func is[T any](m *Machine, a []any) any {
	switch a[0].(type) {
	case T:
		return true
	case string, int64, bool, nil, []any, *Record, *Set:
		return false
	}
	return fail(m)
}

func count(m *Machine, a []any) any {
	switch x := a[0].(type) {
	case string:
		return int64(utf8.RuneCountInString(x))
	case []any:
		return int64(len(x))
	case *Record:
		return int64(len(x.Names))
	case *Set:
		return int64(len(x.Items))
	case Map:
		m.note(x, "", true)
		return int64(len(x.Keys()))
	}
	return fail(m)
}
