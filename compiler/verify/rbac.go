package verify

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	httprbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	netrbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/rbac/v3"
	"google.golang.org/protobuf/proto"

	"github.com/meshc/meshc/compiler/ir"
)

// rbac is what an RBAC filter enforces and observes; nil rules enforce nothing.
type rbac struct {
	rules, shadow *rules
	prefix        string // of the enforced rules' metadata
	class         string
	names         people
	from          []proto.Message // what it was read of
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

func httpRBAC(m *httprbacv3.RBAC) (*rbac, error) {
	if m == nil { // Envoy turns the filter off
		return &rbac{}, nil
	}
	if err := only(m, "rules", "rules_stat_prefix", "shadow_rules", "shadow_rules_stat_prefix", "track_per_rule_stats"); err != nil {
		return nil, err
	}
	return newRBAC(m.Rules, m.ShadowRules, m.RulesStatPrefix)
}

func networkRBAC(m *netrbacv3.RBAC) (*rbac, error) {
	if err := only(m, "rules", "shadow_rules", "shadow_rules_stat_prefix", "stat_prefix"); err != nil {
		return nil, err
	}
	return newRBAC(m.Rules, m.ShadowRules, "")
}

func newRBAC(enforced, observed *rbacv3.RBAC, prefix string) (*rbac, error) {
	r, err := newRules(enforced)
	if err != nil {
		return nil, err
	}
	shadow, err := newRules(observed)
	return &rbac{
		rules: r, shadow: shadow, prefix: prefix,
		class: rulesClass(enforced) + " shadow " + rulesClass(observed),
		names: slices.Concat(r.people(), shadow.people()), from: []proto.Message{enforced, observed},
	}, inside(err, "shadow")
}

func (r *rules) people() people {
	var out people
	if r != nil {
		for _, p := range r.policies {
			out = append(out, p.names...)
		}
	}
	return out
}

func newRules(m *rbacv3.RBAC) (*rules, error) {
	if m == nil {
		return nil, nil
	}
	if err := only(m, "action", "policies"); err != nil {
		return nil, err
	}
	if m.Action != rbacv3.RBAC_ALLOW && m.Action != rbacv3.RBAC_DENY {
		return nil, fmt.Errorf("RBAC action %s is not understood", m.Action)
	}
	out := &rules{deny: m.Action == rbacv3.RBAC_DENY}
	for _, name := range slices.Sorted(maps.Keys(m.Policies)) {
		matches, err := newPolicy(m.Policies[name])
		if err != nil {
			return nil, inside(err, "policy %s", name)
		}
		out.policies = append(out.policies, policy{name, matches, peopleOf(m.Policies[name])})
	}
	return out, nil
}

func newPolicy(m *rbacv3.Policy) (ask, error) {
	if err := only(m, "permissions", "principals"); err != nil {
		return nil, err
	}
	if len(m.Permissions) == 0 || len(m.Principals) == 0 {
		return nil, errors.New("a policy without permissions or principals is refused by Envoy")
	}
	permissions, err := each(m.Permissions, permission)
	if err != nil {
		return nil, err
	}
	principals, err := each(m.Principals, principal)
	if err != nil {
		return nil, err
	}
	return all([]ask{some(permissions), some(principals)}), nil
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
		if strings.EqualFold(r.Header.GetName(), ir.ClientCertHeader) {
			return nil, errors.New("a policy on what the proxy itself writes is not understood")
		}
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
