package verify

import (
	"errors"
	"fmt"

	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	httprbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	netrbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/rbac/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// rbac is what an RBAC filter enforces and observes; nil rules enforce nothing.
type rbac struct {
	rules, shadow *rules
	prefix        string // of the enforced rules' metadata
	class         string
	names         people
	from          []proto.Message // what it was read of
	vague         bool            // a principal takes more than the one identity it names
}

// all are the policies that it enforces, and those that it observes.
func (f *rbac) all() []policy {
	var out []policy
	for _, r := range []*rules{f.rules, f.shadow} {
		if r != nil {
			out = append(out, r.policies...)
		}
	}
	return out
}

// rules are policies in order of name, as Envoy tries them.
type rules struct {
	deny     bool
	policies []policy
}

type policy struct {
	name    string
	matches ask
	names   people // whom its principals name
	class   string
	from    []proto.Message // what it was read of
	vague   bool
}

// passing are the names of the policies that match; ok is whether the rules let
// the request pass.
func (r *rules) passing(req *request) (names []string, ok bool) {
	for _, p := range r.policies {
		if p.matches(req) {
			names = append(names, p.name)
		}
	}
	if r.deny {
		return nil, len(names) == 0
	}
	return names, len(names) > 0
}

// judge gives the policies that Envoy would name: the observed ones where they
// would have let the request in, since only the lack of them is the mode's doing.
func (f *rbac) judge(req *request) (by []string, ok bool) {
	if f.rules == nil {
		return nil, true
	}
	by, ok = f.rules.passing(req)
	if ok && f.shadow != nil {
		if names, granted := f.shadow.passing(req); granted && len(names) > 0 {
			by = names
		}
	}
	return by, ok
}

// The numbers of the fields that RBAC messages of both layers share.
const (
	rbacRules  = 1
	rbacShadow = 2
)

// perRoute reads the policies of a route; Envoy turns the filter off without any.
func perRoute(a *anypb.Any) (*rbac, error) {
	body, said, rest := taken(a.GetValue(), perRouteRBAC)
	if a.GetTypeUrl() != urlPerRoute {
		return nil, fmt.Errorf("%s is not a RBACPerRoute", a.GetTypeUrl())
	}
	if err := decodeOnly(rest, &httprbacv3.RBACPerRoute{}); err != nil {
		return nil, err
	}
	if !said {
		return &rbac{}, nil
	}
	return httpRBAC(body)
}

const urlPerRoute = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBACPerRoute"

var perRouteRBAC = numberOf(&httprbacv3.RBACPerRoute{}, "rbac")

func httpRBAC(body []byte) (*rbac, error) {
	var m httprbacv3.RBAC
	return newRBAC(body, &m, func() string { return m.RulesStatPrefix }, "rules_stat_prefix", "shadow_rules_stat_prefix", "track_per_rule_stats")
}

func networkRBAC(body []byte) (*rbac, error) {
	return newRBAC(body, &netrbacv3.RBAC{}, func() string { return "" }, "shadow_rules_stat_prefix", "stat_prefix")
}

// newRBAC reads the rules by themselves, and the rest into m, which may say no
// more than the fields.
func newRBAC(body []byte, m proto.Message, prefix func() string, fields ...string) (*rbac, error) {
	enforced, enforces, body := taken(body, rbacRules)
	observed, observes, body := taken(body, rbacShadow)
	if err := decodeOnly(body, m, fields...); err != nil {
		return nil, err
	}
	out := &rbac{prefix: prefix()}
	var err error
	if enforces {
		if out.rules, err = readRules(enforced); err != nil {
			return nil, err
		}
	}
	if observes {
		if out.shadow, err = readRules(observed); err != nil {
			return nil, inside(err, "shadow")
		}
	}
	out.class = out.rules.words() + " shadow " + out.shadow.words()
	for _, p := range out.all() {
		out.names = append(out.names, p.names...)
		out.from = append(out.from, p.from...)
		out.vague = out.vague || p.vague
	}
	return out, nil
}

func permission(m *rbacv3.Permission) (ask, error) {
	if n := len(m.ProtoReflect().GetUnknown()); n > 0 {
		return nil, errors.New("a permission has fields that this version does not know")
	}
	switch r := m.GetRule().(type) {
	case *rbacv3.Permission_Any:
		return constant(r.Any), nil
	case *rbacv3.Permission_AndRules:
		asks, err := each(r.AndRules.GetRules(), permission)
		return all(asks), err
	case *rbacv3.Permission_OrRules:
		asks, err := each(r.OrRules.GetRules(), permission)
		return some(asks), err
	case *rbacv3.Permission_NotRule:
		a, err := permission(r.NotRule)
		return opposite(a), err
	case *rbacv3.Permission_Header:
		return headerMatcher(r.Header)
	case *rbacv3.Permission_UrlPath:
		return pathMatcher(r.UrlPath)
	case *rbacv3.Permission_DestinationPort:
		return func(q *request) bool { return uint32(q.to.Port()) == r.DestinationPort }, nil
	case *rbacv3.Permission_RequestedServerName:
		is, err := stringMatcher(r.RequestedServerName)
		return func(q *request) bool { return q.tls != nil && is(q.tls.sni) }, err
	}
	return nil, fmt.Errorf("permission %T is not understood", m.GetRule())
}

func principal(m *rbacv3.Principal) (ask, error) {
	if n := len(m.ProtoReflect().GetUnknown()); n > 0 {
		return nil, errors.New("a principal has fields that this version does not know")
	}
	switch p := m.GetIdentifier().(type) {
	case *rbacv3.Principal_Any:
		return constant(p.Any), nil
	case *rbacv3.Principal_AndIds:
		asks, err := each(p.AndIds.GetIds(), principal)
		return all(asks), err
	case *rbacv3.Principal_OrIds:
		asks, err := each(p.OrIds.GetIds(), principal)
		return some(asks), err
	case *rbacv3.Principal_NotId:
		a, err := principal(p.NotId)
		return opposite(a), err
	case *rbacv3.Principal_Header:
		return headerMatcher(p.Header)
	case *rbacv3.Principal_UrlPath:
		return pathMatcher(p.UrlPath)
	case *rbacv3.Principal_Authenticated_:
		return authenticated(p.Authenticated)
	}
	return nil, fmt.Errorf("principal %T is not understood", m.GetIdentifier())
}

// authenticated judges the URI SAN of the certificate that the peer has shown.
func authenticated(m *rbacv3.Principal_Authenticated) (ask, error) {
	if err := only(m, "principal_name"); err != nil {
		return nil, err
	}
	if m.PrincipalName == nil {
		return func(r *request) bool { return r.peer != "" }, nil
	}
	is, err := stringMatcher(m.PrincipalName)
	return func(r *request) bool { return r.peer != "" && is(string(r.peer)) }, err
}

func constant(b bool) ask { return func(*request) bool { return b } }
