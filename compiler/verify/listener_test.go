package verify

import (
	"net/netip"
	"strings"
	"testing"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"github.com/meshc/meshc/compiler/ir"
)

// Envoy decides at each level for good: a connection whose most specific chain
// does not take it goes to the default chain, though a vaguer one would have it.
func TestChainsAreNotSoughtTwice(t *testing.T) {
	l := &listener{inspects: true, otherwise: &chain{name: "default"}, chains: []*chain{
		{name: "port and address", port: 80, prefixes: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/32")}},
		{name: "any port, h1", alpn: []string{"http/1.1"}},
		{name: "tls to 90", port: 90, transport: "tls"},
		{name: "a's tls to 90", port: 90, transport: "tls", names: []string{"a"}},
		{name: "plain to 91", port: 91},
		{name: "meshc to 91", port: 91, alpn: []string{"meshc"}},
	}}
	for _, c := range []struct {
		to   string
		tls  *hello
		want string
	}{
		{"10.0.0.1:80", nil, "port and address"},
		{"10.0.0.2:80", &hello{alpn: []string{"http/1.1"}}, "default"},
		{"10.0.0.2:81", &hello{alpn: []string{"http/1.1"}}, "any port, h1"},
		{"10.0.0.2:90", &hello{sni: "a"}, "a's tls to 90"},
		{"10.0.0.2:90", &hello{sni: "b"}, "tls to 90"},
		{"10.0.0.2:90", nil, "default"},
		{"10.0.0.2:91", &hello{alpn: []string{"meshc"}}, "meshc to 91"},
		{"10.0.0.2:91", &hello{alpn: []string{"h2"}}, "plain to 91"},
		{"10.0.0.2:91", nil, "plain to 91"},
	} {
		got, err := l.pick(&request{to: netip.MustParseAddrPort(c.to), tls: c.tls})
		if err != nil || got.name != c.want {
			t.Errorf("%s with %+v: chain %v, %v; Envoy picks %s", c.to, c.tls, got, err, c.want)
		}
	}
}

// Two chains that match alike make Envoy refuse the listener.
func TestEqualChainsAreRefused(t *testing.T) {
	l := &listener{name: "l", chains: []*chain{{name: "a", port: 80}, {name: "b", port: 80}}}
	if _, err := l.pick(&request{to: netip.MustParseAddrPort("10.0.0.1:80")}); err == nil {
		t.Error("two equal chains were told apart")
	}
}

func TestRBACIsReadAsEnvoyDoes(t *testing.T) {
	any := &rbacv3.Permission{Rule: &rbacv3.Permission_Any{Any: true}}
	header := func(name, value string) *rbacv3.Permission {
		return &rbacv3.Permission{Rule: &rbacv3.Permission_Header{Header: &routev3.HeaderMatcher{
			Name: name, HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: exactly(value)},
		}}}
	}
	set := func(p ...*rbacv3.Permission) *rbacv3.Permission_Set { return &rbacv3.Permission_Set{Rules: p} }
	r := &request{http: &ir.HTTPRequest{Method: "GET", Path: "/a?b", Headers: []ir.Header{{Name: "X", Value: "1"}, {Name: "x", Value: "2"}}}}
	r.ask.HTTP = r.http
	for name, c := range map[string]struct {
		rule *rbacv3.Permission
		want bool
	}{
		"any":                    {any, true},
		"not any":                {&rbacv3.Permission{Rule: &rbacv3.Permission_NotRule{NotRule: any}}, false},
		"a later line":           {header("x", "2"), true},
		"lines are not joined":   {header("x", "1,2"), false},
		"a missing header":       {header("y", ""), false},
		"and":                    {&rbacv3.Permission{Rule: &rbacv3.Permission_AndRules{AndRules: set(header("x", "1"), header("x", "3"))}}, false},
		"or":                     {&rbacv3.Permission{Rule: &rbacv3.Permission_OrRules{OrRules: set(header("x", "3"), header("x", "1"))}}, true},
		"an empty or":            {&rbacv3.Permission{Rule: &rbacv3.Permission_OrRules{OrRules: set()}}, false},
		"a path without query":   {path("/a"), true},
		"a path is not a prefix": {path("/"), false},
	} {
		is, err := permission(c.rule)
		if err != nil || is(r) != c.want {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func exactly(s string) *matcherv3.StringMatcher {
	return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: s}}
}

func path(s string) *rbacv3.Permission {
	return &rbacv3.Permission{Rule: &rbacv3.Permission_UrlPath{UrlPath: &matcherv3.PathMatcher{Rule: &matcherv3.PathMatcher_Path{Path: exactly(s)}}}}
}

// What the interpreter was not taught is an error that names it: it must never
// be taken for a match, nor for none.
func TestUnknownConstructsAreRefused(t *testing.T) {
	for name, read := range map[string]func() error{
		"invert_match": func() error {
			_, err := headerMatcher(&routev3.HeaderMatcher{Name: "x", InvertMatch: true, HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: exactly("1")}})
			return err
		},
		"what proxies write": func() error {
			_, err := headerMatcher(&routev3.HeaderMatcher{Name: "X-Request-Id", HeaderMatchSpecifier: &routev3.HeaderMatcher_PresentMatch{PresentMatch: true}})
			return err
		},
		"range_match": func() error {
			_, err := headerMatcher(&routev3.HeaderMatcher{Name: "x", HeaderMatchSpecifier: &routev3.HeaderMatcher_RangeMatch{}})
			return err
		},
		"matcher": func() error {
			_, err := permission(&rbacv3.Permission{Rule: &rbacv3.Permission_Matcher{}})
			return err
		},
		"source_type": func() error {
			return (&chain{}).match(&listenerv3.FilterChainMatch{SourceType: listenerv3.FilterChainMatch_EXTERNAL})
		},
		"action": func() error {
			_, err := newRoute(&routev3.Route{Name: "r", Match: &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}}, Action: &routev3.Route_Redirect{}})
			return err
		},
		"regular": func() error {
			_, err := fullRegex(&matcherv3.RegexMatcher{Regex: "("})
			return err
		},
	} {
		if err := read(); err == nil {
			t.Errorf("%s was understood", name)
		} else if strings.TrimSpace(err.Error()) == "" {
			t.Errorf("%s: the error says nothing", name)
		}
	}
}
