package envoy

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	httprbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	netrbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/rbac/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"github.com/meshc/meshc/compiler/ir"
)

const (
	filterRBAC        = "envoy.filters.http.rbac"
	filterNetworkRBAC = "envoy.filters.network.rbac"

	statPrefixRules  = "meshc_"
	statPrefixShadow = "meshc_shadow_"
)

// refuseAll is an ALLOW list of nothing.
func refuseAll() *rbacv3.RBAC { return &rbacv3.RBAC{Action: rbacv3.RBAC_ALLOW} }

func allowOne(name string, who *rbacv3.Principal) *rbacv3.RBAC {
	return &rbacv3.RBAC{Action: rbacv3.RBAC_ALLOW, Policies: map[string]*rbacv3.Policy{
		name: {Permissions: []*rbacv3.Permission{anyPermission}, Principals: []*rbacv3.Principal{who}},
	}}
}

// granted is an ALLOW list with one policy for each grant, under its name.
// layer7 tells whether the requests of a grant count, or connections alone.
func granted(grants []*ir.Grant, layer7 bool) *rbacv3.RBAC {
	rules := &rbacv3.RBAC{Action: rbacv3.RBAC_ALLOW, Policies: make(map[string]*rbacv3.Policy, len(grants))}
	for _, g := range grants {
		p := &rbacv3.Policy{Permissions: []*rbacv3.Permission{anyPermission}}
		if layer7 {
			p.Permissions = permissions(g.HTTP)
		}
		for _, id := range g.Sources {
			p.Principals = append(p.Principals, authenticated(exact(string(id))))
		}
		if len(p.Principals) > 0 { // Envoy refuses a policy that names nobody
			rules.Policies[g.Name] = p
		}
	}
	return rules
}

func authenticated(name *matcherv3.StringMatcher) *rbacv3.Principal {
	return &rbacv3.Principal{Identifier: &rbacv3.Principal_Authenticated_{Authenticated: &rbacv3.Principal_Authenticated{PrincipalName: name}}}
}

var anybody = &rbacv3.Principal{Identifier: &rbacv3.Principal_Any{Any: true}}

// judgement is what a destination enforces, and what it only observes.
type judgement struct {
	rules, shadow *rbacv3.RBAC // shadow is nil outside audit mode
}

// open tells whether a destination's mode lets in identities without a grant.
// A mode that is not known does not.
func open(mode ir.Mode) bool { return mode == ir.Permissive || mode == ir.Audit }

// openPolicy is the name under which such a mode lets them in.
func openPolicy(mode ir.Mode) string {
	if mode == ir.Audit {
		return ir.ByAudit
	}
	return ir.ByPermissive
}

// judge turns a mode and the grants of a port into rules. Only here does a
// mode widen anything.
func (l *lowering) judge(mode ir.Mode, grants []*ir.Grant, layer7 bool) judgement {
	if !open(mode) {
		return judgement{rules: granted(grants, layer7)}
	}
	j := judgement{rules: allowOne(openPolicy(mode), authenticated(memberName(l.mesh.Settings.TrustDomain)))}
	if mode == ir.Audit {
		j.shadow = granted(grants, layer7)
	}
	return j
}

// httpRBAC is the filter's configuration, in a route or in the filter itself.
func httpRBAC(j judgement) *httprbacv3.RBAC {
	return &httprbacv3.RBAC{
		Rules: j.rules, RulesStatPrefix: statPrefixRules,
		ShadowRules: j.shadow, ShadowRulesStatPrefix: statPrefixShadow,
		TrackPerRuleStats: true,
	}
}

// networkRBAC judges a connection at its first byte. The chain has let in nobody
// else; it serves to name the grant, and closes what a change has just taken away.
func (l *lowering) networkRBAC(name string, in inboundPort) *corev3.TypedExtensionConfig {
	j := l.judge(in.mode, in.grants, false)
	if in.mode != ir.Permissive {
		j.shadow = granted(in.grants, false)
	}
	return &corev3.TypedExtensionConfig{Name: name, TypedConfig: l.pack(&netrbacv3.RBAC{
		StatPrefix: statPrefixRules,
		Rules:      j.rules, ShadowRules: j.shadow, ShadowRulesStatPrefix: statPrefixShadow,
	})}
}

func perRoute(j judgement) *httprbacv3.RBACPerRoute {
	return &httprbacv3.RBACPerRoute{Rbac: httpRBAC(j)}
}
