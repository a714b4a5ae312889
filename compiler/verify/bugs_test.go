package verify_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	httprbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	netrbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/rbac/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/verify"
)

// onPolicy changes the one policy of a service's route.
func onPolicy(p *ir.Plan, route string, change func(*rbacv3.Policy)) {
	edit(p, ir.TypeRoute, route, func(c *routev3.RouteConfiguration) {
		for _, a := range c.VirtualHosts[0].Routes[0].TypedPerFilterConfig {
			within(a, func(r *httprbacv3.RBACPerRoute) {
				for _, policy := range r.Rbac.Rules.Policies {
					change(policy)
				}
			})
		}
	})
}

// onRules changes the parts of one permission of the server: 0 reads, 1 admin.
func onRules(p *ir.Plan, which int, change func(*rbacv3.Permission_Set)) {
	onPolicy(p, "inbound/a/server:80", func(policy *rbacv3.Policy) { change(policy.Permissions[which].GetAndRules()) })
}

func onPath(p *ir.Plan, which int, change func(string) string) {
	onRules(p, which, func(s *rbacv3.Permission_Set) {
		re := s.Rules[0].GetUrlPath().GetPath().GetSafeRegex()
		re.Regex = change(re.Regex)
	})
}

func onClusterTLS(p *ir.Plan, name string, change func(*tlsv3.UpstreamTlsContext)) {
	edit(p, ir.TypeCluster, name, func(c *clusterv3.Cluster) { within(c.TransportSocket.GetTypedConfig(), change) })
}

func onChainTLS(p *ir.Plan, name string, change func(*tlsv3.DownstreamTlsContext)) {
	edit(p, ir.TypeChain, name, func(c *listenerv3.FilterChain) { within(c.TransportSocket.GetTypedConfig(), change) })
}

func prefixOf(to string) *matcherv3.StringMatcher {
	return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Prefix{Prefix: to}}
}

func exactly(to string) *matcherv3.StringMatcher {
	return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: to}}
}

func who(m *matcherv3.StringMatcher) *rbacv3.Principal {
	return &rbacv3.Principal{Identifier: &rbacv3.Principal_Authenticated_{Authenticated: &rbacv3.Principal_Authenticated{PrincipalName: m}}}
}

func onRoutes(p *ir.Plan, change func(*routev3.VirtualHost)) {
	edit(p, ir.TypeRoute, "outbound/a/root:80", func(c *routev3.RouteConfiguration) { change(c.VirtualHosts[0]) })
}

func onScope(p *ir.Plan, short string, change func(*ir.Scope)) {
	for _, id := range p.Identities {
		if id.Identity == account(short) {
			change(&p.Scopes[id.Scope])
		}
	}
}

func onListener(p *ir.Plan, name string, change func(*listenerv3.Listener)) {
	edit(p, ir.TypeListener, name, change)
}

// bugs are mistakes of a compiler on town, as they would show in its output.
var bugs = map[string]func(*ir.Plan){
	"a principal becomes anybody": func(p *ir.Plan) {
		onPolicy(p, "inbound/a/server:80", func(r *rbacv3.Policy) { r.Principals = anybody })
	},
	"a principal is any certificate": func(p *ir.Plan) {
		onPolicy(p, "inbound/a/server:80", func(r *rbacv3.Policy) { r.Principals = []*rbacv3.Principal{who(nil)} })
	},
	"a principal matches by prefix": func(p *ir.Plan) {
		onPolicy(p, "inbound/a/server:80", func(r *rbacv3.Policy) {
			r.Principals[0] = who(prefixOf("spiffe://td/ns/a/sa/client"))
		})
	},
	"one more principal": func(p *ir.Plan) {
		onPolicy(p, "inbound/a/server:80", func(r *rbacv3.Policy) {
			r.Principals = append(r.Principals, who(exactly("spiffe://td/ns/a/sa/stranger")))
		})
	},
	"a principal is lost": func(p *ir.Plan) {
		onPolicy(p, "inbound/a/server:80", func(r *rbacv3.Policy) { r.Principals = r.Principals[:1] })
	},
	"a permission is lost": func(p *ir.Plan) {
		onPolicy(p, "inbound/a/server:80", func(r *rbacv3.Policy) { r.Permissions = r.Permissions[:1] })
	},
	"a path is not anchored at its start": func(p *ir.Plan) { onPath(p, 0, func(s string) string { return ".*(?:/a).*" }) },
	"a path is anchored at its end":       func(p *ir.Plan) { onPath(p, 0, func(s string) string { return "/a" }) },
	"a path's own end is lost":            func(p *ir.Plan) { onPath(p, 1, func(s string) string { return "^(?:/admin).*$" }) },
	"a path is lost":                      func(p *ir.Plan) { onRules(p, 1, func(s *rbacv3.Permission_Set) { s.Rules = s.Rules[1:] }) },
	"a method is lost":                    func(p *ir.Plan) { onRules(p, 0, func(s *rbacv3.Permission_Set) { s.Rules = s.Rules[:1] }) },
	"one method of two is lost": func(p *ir.Plan) {
		onRules(p, 0, func(s *rbacv3.Permission_Set) {
			s.Rules[1].GetHeader().HeaderMatchSpecifier = &routev3.HeaderMatcher_StringMatch{StringMatch: exactly("GET")}
		})
	},
	"one method more": func(p *ir.Plan) {
		onRules(p, 0, func(s *rbacv3.Permission_Set) {
			s.Rules[1].GetHeader().GetStringMatch().GetSafeRegex().Regex = "GET|HEAD|PATCH"
		})
	},
	"a header is lost": func(p *ir.Plan) { onRules(p, 1, func(s *rbacv3.Permission_Set) { s.Rules = s.Rules[:2] }) },
	"a header need only be there": func(p *ir.Plan) {
		onRules(p, 1, func(s *rbacv3.Permission_Set) {
			s.Rules[2].GetHeader().HeaderMatchSpecifier = &routev3.HeaderMatcher_PresentMatch{PresentMatch: true}
		})
	},
	"a header's anchors are lost": func(p *ir.Plan) {
		onRules(p, 1, func(s *rbacv3.Permission_Set) {
			s.Rules[2].GetHeader().GetStringMatch().GetSafeRegex().Regex = ".*admin.*"
		})
	},
	"the parts of a match are ORed": func(p *ir.Plan) {
		onPolicy(p, "inbound/a/server:80", func(r *rbacv3.Policy) {
			r.Permissions[1] = &rbacv3.Permission{Rule: &rbacv3.Permission_OrRules{OrRules: r.Permissions[1].GetAndRules()}}
		})
	},
	"rules are only observed": func(p *ir.Plan) {
		edit(p, ir.TypeRoute, "inbound/a/server:80", func(c *routev3.RouteConfiguration) {
			for _, a := range c.VirtualHosts[0].Routes[0].TypedPerFilterConfig {
				within(a, func(r *httprbacv3.RBACPerRoute) { r.Rbac.ShadowRules, r.Rbac.Rules = r.Rbac.Rules, nil })
			}
		})
	},
	"audit lost its shadow": func(p *ir.Plan) {
		edit(p, ir.TypeRoute, "inbound/watched/app:80", func(c *routev3.RouteConfiguration) {
			for _, a := range c.VirtualHosts[0].Routes[0].TypedPerFilterConfig {
				within(a, func(r *httprbacv3.RBACPerRoute) { r.Rbac.ShadowRules = nil })
			}
		})
	},
	"audit enforces": func(p *ir.Plan) {
		edit(p, ir.TypeRoute, "inbound/watched/app:80", func(c *routev3.RouteConfiguration) {
			for _, a := range c.VirtualHosts[0].Routes[0].TypedPerFilterConfig {
				within(a, func(r *httprbacv3.RBACPerRoute) { r.Rbac.Rules = r.Rbac.ShadowRules })
			}
		})
	},
	"a weight is off by one": func(p *ir.Plan) {
		onRoutes(p, func(h *routev3.VirtualHost) {
			h.Routes[1].GetRoute().GetWeightedClusters().Clusters[0].Weight = wrapperspb.UInt32(91)
		})
	},
	"the leaves of a split are swapped": func(p *ir.Plan) {
		onRoutes(p, func(h *routev3.VirtualHost) {
			c := h.Routes[1].GetRoute().GetWeightedClusters().Clusters
			c[0].Name, c[1].Name = c[1].Name, c[0].Name
		})
	},
	"a leaf is lost": func(p *ir.Plan) {
		onRoutes(p, func(h *routev3.VirtualHost) {
			w := h.Routes[1].GetRoute().GetWeightedClusters()
			w.Clusters = w.Clusters[:1]
		})
	},
	"the match of a split is dropped": func(p *ir.Plan) { onRoutes(p, func(h *routev3.VirtualHost) { h.Routes = h.Routes[1:] }) },
	"the match of a split takes everything": func(p *ir.Plan) {
		onRoutes(p, func(h *routev3.VirtualHost) { h.Routes[0].Match.Headers = nil })
	},
	"splits stand in the wrong order": func(p *ir.Plan) { onRoutes(p, func(h *routev3.VirtualHost) { slices.Reverse(h.Routes) }) },
	"the matched split leads to another cluster": func(p *ir.Plan) {
		onRoutes(p, func(h *routev3.VirtualHost) {
			h.Routes[0].GetRoute().ClusterSpecifier = &routev3.RouteAction_Cluster{Cluster: "a/v1:80"}
		})
	},
	"clients take any server": func(p *ir.Plan) {
		onClusterTLS(p, "a/server:80", func(t *tlsv3.UpstreamTlsContext) { sans(t.CommonTlsContext).MatchTypedSubjectAltNames = nil })
	},
	"clients take one server more": func(p *ir.Plan) {
		onClusterTLS(p, "a/server:80", func(t *tlsv3.UpstreamTlsContext) {
			s := sans(t.CommonTlsContext)
			s.MatchTypedSubjectAltNames = append(s.MatchTypedSubjectAltNames, &tlsv3.SubjectAltNameMatcher{SanType: tlsv3.SubjectAltNameMatcher_URI, Matcher: exactly("spiffe://td/ns/a/sa/db")})
		})
	},
	"clients take servers by prefix": func(p *ir.Plan) {
		onClusterTLS(p, "a/server:80", func(t *tlsv3.UpstreamTlsContext) {
			sans(t.CommonTlsContext).MatchTypedSubjectAltNames[0].Matcher = prefixOf("spiffe://td/ns/a/sa/server")
		})
	},
	"the headless cluster speaks no TLS": func(p *ir.Plan) {
		edit(p, ir.TypeCluster, "direct/a/stateful:5432", func(c *clusterv3.Cluster) { c.TransportSocket = nil })
	},
	"the headless cluster is the EDS one": func(p *ir.Plan) {
		for i := range p.Outbound {
			p.Outbound[i].Direct = ir.NoRef
		}
	},
	"a TCP chain takes any certificate": func(p *ir.Plan) {
		onChainTLS(p, "inbound/a/db:3306/a/client", func(t *tlsv3.DownstreamTlsContext) { sans(t.CommonTlsContext).MatchTypedSubjectAltNames = nil })
	},
	"a TCP chain takes one certificate more": func(p *ir.Plan) {
		onChainTLS(p, "inbound/a/db:3306/a/client", func(t *tlsv3.DownstreamTlsContext) {
			s := sans(t.CommonTlsContext)
			s.MatchTypedSubjectAltNames = append(s.MatchTypedSubjectAltNames, &tlsv3.SubjectAltNameMatcher{SanType: tlsv3.SubjectAltNameMatcher_URI, Matcher: exactly("spiffe://td/ns/a/sa/stranger")})
		})
	},
	"no certificate is demanded for bytes": func(p *ir.Plan) {
		onChainTLS(p, "inbound/a/db:3306/a/client", func(t *tlsv3.DownstreamTlsContext) { t.RequireClientCertificate = wrapperspb.Bool(false) })
	},
	"no certificate is demanded for HTTP": func(p *ir.Plan) {
		onChainTLS(p, "inbound/a/server:80", func(t *tlsv3.DownstreamTlsContext) { t.RequireClientCertificate = nil })
	},
	"the certificate is another secret": func(p *ir.Plan) {
		onChainTLS(p, "inbound/a/server:80", func(t *tlsv3.DownstreamTlsContext) {
			t.CommonTlsContext.TlsCertificateSdsSecretConfigs[0].Name = "other"
		})
	},
	"the roots are another secret": func(p *ir.Plan) {
		onClusterTLS(p, "a/server:80", func(t *tlsv3.UpstreamTlsContext) {
			t.CommonTlsContext.GetCombinedValidationContext().ValidationContextSdsSecretConfig.Name = "other"
		})
	},
	"two chains' server names are swapped": func(p *ir.Plan) {
		for _, pair := range [][2]string{{"a/client", "a/second"}, {"a/second", "a/client"}} {
			edit(p, ir.TypeChain, "inbound/a/db:3306/"+pair[0], func(c *listenerv3.FilterChain) {
				c.FilterChainMatch.ServerNames = []string{account(pair[1]).SNI()}
			})
		}
	},
	"a chain for an identity without a grant": func(p *ir.Plan) {
		edit(p, ir.TypeChain, "inbound/a/stateful:5432/a/client", func(c *listenerv3.FilterChain) {
			c.FilterChainMatch.ServerNames = append(c.FilterChainMatch.ServerNames, account("a/second").SNI())
			within(c.TransportSocket.GetTypedConfig(), func(t *tlsv3.DownstreamTlsContext) {
				s := sans(t.CommonTlsContext)
				s.MatchTypedSubjectAltNames = append(s.MatchTypedSubjectAltNames, &tlsv3.SubjectAltNameMatcher{SanType: tlsv3.SubjectAltNameMatcher_URI, Matcher: exactly("spiffe://td/ns/a/sa/second")})
			})
		})
	},
	"a chain is lost": func(p *ir.Plan) {
		onPorts(p, "a/db", func(in *ir.InboundPlan) { in.Chains = in.Chains[:1] })
	},
	"the network RBAC takes anybody's chain for another's": func(p *ir.Plan) {
		edit(p, ir.TypeExtension, "rbac/a/db:3306", func(c *corev3.TypedExtensionConfig) {
			within(c.TypedConfig, func(r *netrbacv3.RBAC) {
				for _, policy := range r.Rules.Policies {
					policy.Principals = policy.Principals[1:]
				}
			})
		})
	},
	"a plaintext chain is opened": func(p *ir.Plan) {
		var open ir.Ref
		for i, r := range p.Resources {
			if r.Name == "inbound/a/open:80/plaintext" {
				open = ir.Ref(i)
			}
		}
		onPorts(p, "a/server", func(in *ir.InboundPlan) { in.Chains = append(in.Chains, open) })
	},
	"a plaintext chain is closed": func(p *ir.Plan) {
		onPorts(p, "a/open", func(in *ir.InboundPlan) { in.Chains = in.Chains[:1] })
	},
	"target ports are swapped": func(p *ir.Plan) {
		onPorts(p, "a/server", func(in *ir.InboundPlan) { in.Services = []ir.PortID{at("a/v1", 80)} })
	},
	"another service's routes": func(p *ir.Plan) {
		var v1 ir.Ref
		onPorts(p, "a/v1", func(in *ir.InboundPlan) { v1 = in.Route })
		onPorts(p, "a/server", func(in *ir.InboundPlan) { in.Route = v1 })
	},
	"a scope sees too little": func(p *ir.Plan) {
		onScope(p, "a/client", func(s *ir.Scope) { s.Outbound = s.Outbound[1:] })
	},
	"a scope sees too much": func(p *ir.Plan) {
		onScope(p, "a/stranger", func(s *ir.Scope) { s.Outbound = append([]ir.PortID{at("a/db", 3306)}, s.Outbound...) })
	},
	"an identity has another's scope": func(p *ir.Plan) {
		of := 0
		for _, id := range p.Identities {
			if id.Identity == account("a/client") {
				of = id.Scope
			}
		}
		for i := range p.Identities {
			if p.Identities[i].Identity == account("a/stranger") {
				p.Identities[i].Scope = of
			}
		}
	},
	"an identity may leave the mesh": func(p *ir.Plan) {
		var free *ir.Scope
		onScope(p, "out/app", func(s *ir.Scope) { free = s })
		onScope(p, "a/client", func(s *ir.Scope) { s.Virtual, s.Ranged, s.Extra = free.Virtual, free.Ranged, free.Extra })
	},
	"paths are not normalised": func(p *ir.Plan) {
		inManager(p, "inbound/a/server:80", func(m *hcmv3.HttpConnectionManager) { m.NormalizePath = nil })
	},
	"escaped slashes are unescaped": func(p *ir.Plan) {
		inManager(p, "inbound/a/server:80", func(m *hcmv3.HttpConnectionManager) {
			m.PathWithEscapedSlashesAction = hcmv3.HttpConnectionManager_UNESCAPE_AND_FORWARD
		})
	},
	"CONNECT is carried": func(p *ir.Plan) {
		inManager(p, "inbound/a/server:80", func(m *hcmv3.HttpConnectionManager) {
			m.UpgradeConfigs = append(m.UpgradeConfigs, &hcmv3.HttpConnectionManager_UpgradeConfig{UpgradeType: "CONNECT-UDP"})
		})
	},
	"the server has no RBAC filter": func(p *ir.Plan) {
		inManager(p, "inbound/a/server:80", func(m *hcmv3.HttpConnectionManager) { m.HttpFilters = m.HttpFilters[1:] })
	},
	"the default chain of the server passes": func(p *ir.Plan) {
		var plain *listenerv3.FilterChain
		edit(p, ir.TypeChain, "inbound/a/open:80/plaintext", func(c *listenerv3.FilterChain) { plain = c })
		onListener(p, "inbound", func(l *listenerv3.Listener) { l.DefaultFilterChain = plain })
	},
	"the default chain of the client passes": func(p *ir.Plan) {
		onListener(p, "outbound", func(l *listenerv3.Listener) {
			pass := &tcpv3.TcpProxy{StatPrefix: "x", ClusterSpecifier: &tcpv3.TcpProxy_Cluster{Cluster: "a/server:80"}}
			for _, f := range l.DefaultFilterChain.Filters {
				f.GetTypedConfig().TypeUrl = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"
				f.GetTypedConfig().Value = marshal(pass)
			}
		})
	},
	"the server name is not sent": func(p *ir.Plan) {
		onListener(p, "outbound/a/db:3306", func(l *listenerv3.Listener) { l.FilterChains[0].Filters = l.FilterChains[0].Filters[1:] })
	},
	"bytes go to another cluster": func(p *ir.Plan) {
		edit(p, ir.TypeExtension, "tcp/a/db:3306", func(c *corev3.TypedExtensionConfig) {
			within(c.TypedConfig, func(m *tcpv3.TcpProxy) {
				m.ClusterSpecifier = &tcpv3.TcpProxy_Cluster{Cluster: "a/stateful:5432"}
			})
		})
	},
}

func onPorts(p *ir.Plan, short string, change func(*ir.InboundPlan)) {
	for i := range p.Roles {
		for j := range p.Roles[i].Ports {
			if p.Roles[i].Identity == account(short) {
				change(&p.Roles[i].Ports[j])
			}
		}
	}
}

// suite are mistakes with the mesh on which they show.
type suite struct {
	mesh func() *ir.Mesh
	bugs map[string]func(*ir.Plan)
}

func suites() []suite { return []suite{{town, bugs}, {pair, corruptions}} }

// Each bug is one that a build must stop, with a request that shows it. -v lists
// them by name.
func TestEveryBugIsCaught(t *testing.T) {
	caught, seeded := 0, 0
	for _, suite := range suites() {
		seeded += len(suite.bugs)
		for _, name := range slices.Sorted(maps.Keys(suite.bugs)) {
			t.Run(name, func(t *testing.T) {
				m := suite.mesh()
				if found := verify.Compare(m, lowered(t, m)); len(found) > 0 {
					t.Fatalf("before the bug: %s: %s", found[0].Asked, found[0].Why)
				}
				plan := lowered(t, m)
				suite.bugs[name](plan)
				found := verify.Compare(m, plan)
				if len(found) == 0 {
					t.Fatal("the build goes on as if nothing had happened")
				}
				if d := found[0]; !strings.Contains(d.Asked, " to ") || d.Why == "" || len(d.About) == 0 {
					t.Errorf("it shows no request: %+v", d)
				}
				caught++
				t.Logf("caught: %s: %s: %s", name, found[0].Asked, found[0].Why)
			})
		}
	}
	t.Logf("%d bugs were seeded, %d were caught", seeded, caught)
	if caught < 80 {
		t.Errorf("only %d bugs were caught", caught)
	}
}
