package verify

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"github.com/meshc/meshc/compiler/ir"
)

// test is a matcher of strings.
type test func(string) bool

func fullRegex(m *matcherv3.RegexMatcher) (test, error) {
	if err := only(m, "regex", "google_re2"); err != nil {
		return nil, err
	}
	return readRegexes.get([]byte(m.Regex), func() (test, error) {
		re, err := regexp.Compile(`\A(?:` + m.Regex + `)\z`)
		if err != nil {
			return nil, err
		}
		return re.MatchString, nil
	})
}

var readRegexes kept[test]

func stringMatcher(m *matcherv3.StringMatcher) (test, error) {
	if m == nil {
		return nil, errors.New("a string matcher is missing")
	}
	if err := only(m, "exact", "prefix", "suffix", "contains", "safe_regex", "ignore_case"); err != nil {
		return nil, err
	}
	fold := func(s string) string { return s }
	if m.IgnoreCase {
		fold = strings.ToLower
	}
	switch p := m.MatchPattern.(type) {
	case *matcherv3.StringMatcher_Exact:
		return func(s string) bool { return fold(s) == fold(p.Exact) }, nil
	case *matcherv3.StringMatcher_Prefix:
		return func(s string) bool { return strings.HasPrefix(fold(s), fold(p.Prefix)) }, nil
	case *matcherv3.StringMatcher_Suffix:
		return func(s string) bool { return strings.HasSuffix(fold(s), fold(p.Suffix)) }, nil
	case *matcherv3.StringMatcher_Contains:
		return func(s string) bool { return strings.Contains(fold(s), fold(p.Contains)) }, nil
	case *matcherv3.StringMatcher_SafeRegex:
		if m.IgnoreCase {
			return nil, errors.New("ignore_case on a regular expression is not understood")
		}
		return fullRegex(p.SafeRegex)
	}
	return nil, fmt.Errorf("string matcher %T is not understood", m.MatchPattern)
}

// pathMatcher judges the path without its query.
func pathMatcher(m *matcherv3.PathMatcher) (ask, error) {
	if err := only(m, "path"); err != nil {
		return nil, err
	}
	is, err := stringMatcher(m.GetPath())
	if err != nil {
		return nil, err
	}
	return func(r *request) bool { return r.http != nil && is(ir.WithoutQuery(r.http.Path)) }, nil
}

// ask is a question to a request and the connection that carries it.
type ask func(*request) bool

// headerMatcher tries each line of a header by itself, as Envoy 1.40 does.
func headerMatcher(m *routev3.HeaderMatcher) (ask, error) {
	if err := only(m, "name", "string_match", "present_match"); err != nil {
		return nil, err
	}
	name := strings.ToLower(m.Name)
	if strings.HasPrefix(name, ":") && !slices.Contains([]string{":authority", ":method"}, name) {
		return nil, fmt.Errorf("a matcher of %s is not understood", m.Name)
	}
	if ir.ProxyHeader(name) {
		return nil, fmt.Errorf("a matcher of %s is not understood: the proxy itself writes it or takes it away", m.Name)
	}
	switch s := m.HeaderMatchSpecifier.(type) {
	case *routev3.HeaderMatcher_StringMatch:
		is, err := stringMatcher(s.StringMatch)
		if err != nil {
			return nil, inside(err, "header %s", m.Name)
		}
		return func(r *request) bool { return slices.ContainsFunc(r.lines(name), is) }, nil
	case *routev3.HeaderMatcher_PresentMatch:
		return func(r *request) bool { return len(r.lines(name)) > 0 == s.PresentMatch }, nil
	}
	return nil, fmt.Errorf("header %s: matcher %T is not understood", m.Name, m.HeaderMatchSpecifier)
}

// all, some and opposite combine questions.
func all(asks []ask) ask {
	return func(r *request) bool {
		return !slices.ContainsFunc(asks, func(a ask) bool { return !a(r) })
	}
}

func some(asks []ask) ask {
	return func(r *request) bool {
		return slices.ContainsFunc(asks, func(a ask) bool { return a(r) })
	}
}

func opposite(a ask) ask { return func(r *request) bool { return !a(r) } }

// each reads a list of messages.
func each[M, T any](in []M, read func(M) (T, error)) ([]T, error) {
	out := make([]T, 0, len(in))
	for _, m := range in {
		t, err := read(m)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}
