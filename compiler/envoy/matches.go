package envoy

import (
	"regexp"
	"slices"
	"strings"

	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"github.com/meshc/meshc/compiler/ir"
)

func regex(expr string) *matcherv3.RegexMatcher { return &matcherv3.RegexMatcher{Regex: expr} }

func exact(s string) *matcherv3.StringMatcher {
	return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: s}}
}

func matching(expr string) *matcherv3.StringMatcher {
	return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_SafeRegex{SafeRegex: regex(expr)}}
}

// headerMatcher tries each line of the header by itself; a missing header never
// matches. Envoy's expressions match in full, a search is `.*(?:R).*`.
func headerMatcher(name string, value *matcherv3.StringMatcher) *routev3.HeaderMatcher {
	return &routev3.HeaderMatcher{
		Name:                 name,
		HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: value},
	}
}

func headerRegex(h ir.HeaderMatch) string {
	if h.Full {
		return h.Regex
	}
	return ".*(?:" + h.Regex + ").*"
}

// methodMatcher matches one of the methods. They are words of SMI's list, never
// names that somebody chose.
func methodMatcher(methods []string) *routev3.HeaderMatcher {
	if len(methods) == 1 {
		return headerMatcher(":method", exact(methods[0]))
	}
	quoted := make([]string, len(methods))
	for i, m := range methods {
		quoted[i] = regexp.QuoteMeta(m)
	}
	return headerMatcher(":method", matching(strings.Join(quoted, "|")))
}

// headerMatchers are a match's method and headers.
func headerMatchers(m ir.Match) []*routev3.HeaderMatcher {
	var out []*routev3.HeaderMatcher
	if len(m.Methods) > 0 && !slices.Contains(m.Methods, "*") {
		out = append(out, methodMatcher(m.Methods))
	}
	for _, h := range m.Headers {
		out = append(out, headerMatcher(h.Name, matching(headerRegex(h))))
	}
	return out
}

// routeMatch picks the requests of a match at the client.
func routeMatch(m ir.Match) *routev3.RouteMatch {
	out := &routev3.RouteMatch{Headers: headerMatchers(m)}
	if m.Path == "" {
		out.PathSpecifier = everyPath().PathSpecifier
	} else {
		out.PathSpecifier = &routev3.RouteMatch_SafeRegex{SafeRegex: regex(m.Path)}
	}
	return out
}

// permission allows the requests of a match at the server. url_path is the
// normalised path without its query.
func permission(m ir.Match) *rbacv3.Permission {
	if !m.Holds() {
		return noPermission // a policy would see what a proxy has just written there
	}
	var all []*rbacv3.Permission
	if m.Path != "" {
		all = append(all, &rbacv3.Permission{Rule: &rbacv3.Permission_UrlPath{UrlPath: &matcherv3.PathMatcher{
			Rule: &matcherv3.PathMatcher_Path{Path: matching(m.Path)},
		}}})
	}
	for _, h := range headerMatchers(m) {
		all = append(all, &rbacv3.Permission{Rule: &rbacv3.Permission_Header{Header: h}})
	}
	switch len(all) {
	case 0:
		return anyPermission
	case 1:
		return all[0]
	}
	return &rbacv3.Permission{Rule: &rbacv3.Permission_AndRules{AndRules: &rbacv3.Permission_Set{Rules: all}}}
}

var (
	anyPermission = &rbacv3.Permission{Rule: &rbacv3.Permission_Any{Any: true}}
	noPermission  = &rbacv3.Permission{Rule: &rbacv3.Permission_NotRule{NotRule: anyPermission}}
)

// permissions are the requests a grant allows, ORed.
func permissions(matches []ir.Match) []*rbacv3.Permission {
	if len(matches) == 0 {
		return []*rbacv3.Permission{anyPermission}
	}
	out := make([]*rbacv3.Permission, len(matches))
	for i, m := range matches {
		out[i] = permission(m)
	}
	return out
}
