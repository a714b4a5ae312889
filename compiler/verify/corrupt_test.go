package verify_test

import (
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
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/meshc/meshc/compiler/envoy"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/verify"
)

// pair is a mesh of a client, a stranger, an HTTP server and a TCP server.
func pair() *ir.Mesh {
	id := func(name string) ir.Identity { return ir.NewIdentity("td", "a", name) }
	port := func(name string, n uint16) ir.PortID {
		return ir.PortID{Service: ir.ServiceID{Namespace: "a", Name: name}, Port: n}
	}
	m := &ir.Mesh{
		Settings:   ir.Settings{Name: "m", TrustDomain: "td", Mode: ir.Strict},
		Identities: []ir.Identity{id("client"), id("db"), id("server"), id("stranger")},
		Roles:      []ir.Role{{Identity: id("client")}, {Identity: id("stranger")}},
	}
	for name, p := range map[string]ir.Port{
		"db":     {Number: 3306, Protocol: ir.TCP, TargetPort: 3306},
		"server": {Number: 80, Protocol: ir.HTTP, TargetPort: 8080},
	} {
		sid := ir.ServiceID{Namespace: "a", Name: name}
		m.Services = append(m.Services, ir.Service{ID: sid, Accounts: []ir.Identity{id(name)}, Ports: []ir.Port{p}})
		m.Roles = append(m.Roles, ir.Role{Identity: id(name), Services: []ir.ServiceID{sid}, Ports: []ir.InboundPort{
			{TargetPort: p.TargetPort, Protocol: p.Protocol, Services: []ir.PortID{port(name, p.Number)}},
		}})
	}
	slices.SortFunc(m.Services, func(a, b ir.Service) int { return a.ID.Compare(b.ID) })
	slices.SortFunc(m.Roles, func(a, b ir.Role) int { return strings.Compare(a.Name(), b.Name()) })
	m.Grants = []ir.Grant{
		{Name: "TrafficTarget/a/db#rule0", Sources: []ir.Identity{id("client")}, Destination: id("db"), Ports: []ir.PortID{port("db", 3306)}},
		{Name: "TrafficTarget/a/server#rule0", Sources: []ir.Identity{id("client")}, Destination: id("server"), Ports: []ir.PortID{port("server", 80)},
			HTTP: []ir.Match{{Path: "^(?:/a).*$", Methods: []string{"GET"}}}},
	}
	return m
}

// questions are what a corruption must change an answer to, or make unanswerable.
func questions() []ir.Request {
	client, stranger := ir.NewIdentity("td", "a", "client"), ir.NewIdentity("td", "a", "stranger")
	server := ir.PortID{Service: ir.ServiceID{Namespace: "a", Name: "server"}, Port: 80}
	db := ir.PortID{Service: ir.ServiceID{Namespace: "a", Name: "db"}, Port: 3306}
	http := func(method, path string) *ir.HTTPRequest { return &ir.HTTPRequest{Method: method, Path: path} }
	return []ir.Request{
		{From: client, To: server, HTTP: http("GET", "/a")},
		{From: client, To: server, HTTP: http("POST", "/a")},
		{From: client, To: server, HTTP: http("GET", "/x")},
		{From: client, To: server, HTTP: http("GET", "/a/%2e%2e/x")},
		{From: client, To: server, HTTP: http("GET", "/a%2fb")},
		{From: client, To: server, HTTP: http("GET", "/x/../a")},
		{From: stranger, To: server, HTTP: http("GET", "/a")},
		{To: server, HTTP: http("GET", "/a")},
		{From: client, To: db},
		{From: stranger, To: db},
		{To: db},
	}
}

// edit changes every resource of a type and name ("" for any) in place.
func edit[M proto.Message](plan *ir.Plan, of ir.ResourceType, name string, change func(M)) {
	for i, r := range plan.Resources {
		if r.Type != of || name != "" && r.Name != name {
			continue
		}
		var none M
		m := none.ProtoReflect().New().Interface().(M)
		if err := proto.Unmarshal(r.Body, m); err != nil {
			panic(err)
		}
		change(m)
		plan.Resources[i].Body = marshal(m)
	}
}

func marshal(m proto.Message) []byte {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		panic(err)
	}
	return b
}

// within changes the message inside an Any.
func within[M proto.Message](a *anypb.Any, change func(M)) {
	m, err := a.UnmarshalNew()
	if err != nil {
		panic(err)
	}
	if typed, ok := m.(M); ok {
		change(typed)
		a.Value = marshal(typed)
	}
}

// inRoute changes the policies of the server's route.
func inRoute(plan *ir.Plan, change func(*httprbacv3.RBACPerRoute)) {
	edit(plan, ir.TypeRoute, "inbound/a/server:80", func(c *routev3.RouteConfiguration) {
		for _, a := range c.VirtualHosts[0].Routes[0].TypedPerFilterConfig {
			within(a, change)
		}
	})
}

func inManager(plan *ir.Plan, name string, change func(*hcmv3.HttpConnectionManager)) {
	edit(plan, ir.TypeChain, name, func(c *listenerv3.FilterChain) {
		for _, f := range c.Filters {
			within(f.GetTypedConfig(), change)
		}
	})
}

func policiesOf(r *httprbacv3.RBACPerRoute) map[string]*rbacv3.Policy { return r.Rbac.Rules.Policies }

var anybody = []*rbacv3.Principal{{Identifier: &rbacv3.Principal_Any{Any: true}}}

var everything = []*rbacv3.Permission{{Rule: &rbacv3.Permission_Any{Any: true}}}

var corruptions = map[string]func(*ir.Plan){
	"the RBAC of the route is dropped": func(p *ir.Plan) {
		edit(p, ir.TypeRoute, "inbound/a/server:80", func(c *routev3.RouteConfiguration) { c.VirtualHosts[0].Routes[0].TypedPerFilterConfig = nil })
	},
	"the RBAC of the route is turned off": func(p *ir.Plan) { inRoute(p, func(r *httprbacv3.RBACPerRoute) { r.Rbac = nil }) },
	"the RBAC of the route has no rules":  func(p *ir.Plan) { inRoute(p, func(r *httprbacv3.RBACPerRoute) { r.Rbac.Rules = nil }) },
	"an ALLOW list becomes a DENY list": func(p *ir.Plan) {
		inRoute(p, func(r *httprbacv3.RBACPerRoute) { r.Rbac.Rules.Action = rbacv3.RBAC_DENY })
	},
	"rules only log": func(p *ir.Plan) {
		inRoute(p, func(r *httprbacv3.RBACPerRoute) { r.Rbac.Rules.Action = rbacv3.RBAC_LOG })
	},
	"a policy's principals are empty": func(p *ir.Plan) {
		inRoute(p, func(r *httprbacv3.RBACPerRoute) {
			for _, policy := range policiesOf(r) {
				policy.Principals = nil
			}
		})
	},
	"a policy's permissions are everything": func(p *ir.Plan) {
		inRoute(p, func(r *httprbacv3.RBACPerRoute) {
			for _, policy := range policiesOf(r) {
				policy.Permissions = everything
			}
		})
	},
	"a policy lost its name": func(p *ir.Plan) {
		inRoute(p, func(r *httprbacv3.RBACPerRoute) {
			for name, policy := range policiesOf(r) {
				delete(policiesOf(r), name)
				policiesOf(r)["other"] = policy
			}
		})
	},
	"a permission of a kind nobody knows": func(p *ir.Plan) {
		inRoute(p, func(r *httprbacv3.RBACPerRoute) {
			for _, policy := range policiesOf(r) {
				policy.Permissions = []*rbacv3.Permission{{Rule: &rbacv3.Permission_UriTemplate{}}}
			}
		})
	},
	"paths are not normalised at the server and the client": func(p *ir.Plan) {
		raw := func(m *hcmv3.HttpConnectionManager) {
			m.NormalizePath, m.MergeSlashes, m.PathWithEscapedSlashesAction = nil, false, 0
		}
		inManager(p, "inbound/a/server:80", raw)
		edit(p, ir.TypeListener, "outbound/a/server:80", func(l *listenerv3.Listener) { within(l.FilterChains[0].Filters[0].GetTypedConfig(), raw) })
	},
	"escaped slashes are kept": func(p *ir.Plan) {
		inManager(p, "inbound/a/server:80", func(m *hcmv3.HttpConnectionManager) {
			m.PathWithEscapedSlashesAction = hcmv3.HttpConnectionManager_KEEP_UNCHANGED
		})
	},
	"an HTTP filter nobody knows": func(p *ir.Plan) {
		inManager(p, "inbound/a/server:80", func(m *hcmv3.HttpConnectionManager) { m.HttpFilters[0].GetTypedConfig().TypeUrl += "x" })
	},
	"the server's chain speaks no TLS": func(p *ir.Plan) {
		edit(p, ir.TypeChain, "inbound/a/server:80", func(c *listenerv3.FilterChain) { c.TransportSocket = nil; c.FilterChainMatch = nil })
	},
	"the server asks for no certificate": func(p *ir.Plan) {
		edit(p, ir.TypeChain, "inbound/a/server:80", func(c *listenerv3.FilterChain) {
			within(c.TransportSocket.GetTypedConfig(), func(t *tlsv3.DownstreamTlsContext) {
				t.CommonTlsContext.ValidationContextType = nil
			})
		})
	},
	"a chain matches another server name": func(p *ir.Plan) {
		edit(p, ir.TypeChain, "inbound/a/db:3306/a/client", func(c *listenerv3.FilterChain) { c.FilterChainMatch.ServerNames = []string{"x"} })
	},
	"a chain matches by something nobody knows": func(p *ir.Plan) {
		edit(p, ir.TypeChain, "inbound/a/db:3306/a/client", func(c *listenerv3.FilterChain) {
			c.FilterChainMatch.SourcePorts = []uint32{1}
		})
	},
	"a TCP chain accepts another identity only": func(p *ir.Plan) {
		edit(p, ir.TypeChain, "inbound/a/db:3306/a/client", func(c *listenerv3.FilterChain) {
			within(c.TransportSocket.GetTypedConfig(), func(t *tlsv3.DownstreamTlsContext) {
				sans(t.CommonTlsContext).MatchTypedSubjectAltNames[0].Matcher = &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: "spiffe://td/ns/a/sa/stranger"}}
			})
		})
	},
	"the network RBAC lets nobody in": func(p *ir.Plan) {
		edit(p, ir.TypeExtension, "rbac/a/db:3306", func(c *corev3.TypedExtensionConfig) {
			within(c.TypedConfig, func(r *netrbacv3.RBAC) { r.Rules.Policies = nil })
		})
	},
	"the network RBAC is gone": func(p *ir.Plan) {
		for i := range p.Roles {
			for j := range p.Roles[i].Ports {
				p.Roles[i].Ports[j].Extension = ir.NoRef
			}
		}
	},
	"the client's list of server names is another's": func(p *ir.Plan) {
		edit(p, ir.TypeCluster, "a/server:80", func(c *clusterv3.Cluster) {
			within(c.TransportSocket.GetTypedConfig(), func(t *tlsv3.UpstreamTlsContext) {
				sans(t.CommonTlsContext).MatchTypedSubjectAltNames[0].Matcher = &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: "spiffe://td/ns/a/sa/db"}}
			})
		})
	},
	"the client speaks no TLS": func(p *ir.Plan) {
		edit(p, ir.TypeCluster, "a/db:3306", func(c *clusterv3.Cluster) { c.TransportSocket = nil })
	},
	"the client's route leads to another cluster": func(p *ir.Plan) {
		edit(p, ir.TypeRoute, "outbound/a/server:80", func(c *routev3.RouteConfiguration) {
			c.VirtualHosts[0].Routes[0].GetRoute().ClusterSpecifier = &routev3.RouteAction_Cluster{Cluster: "a/db:3306"}
		})
	},
	"a route rewrites": func(p *ir.Plan) {
		edit(p, ir.TypeRoute, "outbound/a/server:80", func(c *routev3.RouteConfiguration) {
			c.VirtualHosts[0].Routes[0].GetRoute().PrefixRewrite = "/a"
		})
	},
	"the server does not look for TLS": func(p *ir.Plan) {
		edit(p, ir.TypeListener, "inbound", func(l *listenerv3.Listener) { l.ListenerFilters = l.ListenerFilters[:1] })
	},
	"the client's listener does not hand on": func(p *ir.Plan) {
		edit(p, ir.TypeListener, "outbound", func(l *listenerv3.Listener) { l.UseOriginalDst = wrapperspb.Bool(false) })
	},
	"two services' clusters are swapped": func(p *ir.Plan) {
		p.Clusters[0].Resource, p.Clusters[1].Resource = p.Clusters[1].Resource, p.Clusters[0].Resource
	},
	"two services' accounts are swapped": func(p *ir.Plan) {
		p.Clusters[0].Accounts, p.Clusters[1].Accounts = p.Clusters[1].Accounts, p.Clusters[0].Accounts
	},
	"a target port has no chains": func(p *ir.Plan) {
		for i := range p.Roles {
			for j := range p.Roles[i].Ports {
				if p.Roles[i].Ports[j].Protocol == ir.HTTP {
					p.Roles[i].Ports[j].Chains = nil
				}
			}
		}
	},
	"a stranger is given the client's scope": func(p *ir.Plan) {
		for i := range p.Identities {
			p.Identities[i].Scope = p.Identities[0].Scope
		}
		inRoute(p, func(r *httprbacv3.RBACPerRoute) {
			for _, policy := range policiesOf(r) {
				policy.Principals = anybody
			}
		})
	},
}

func sans(t *tlsv3.CommonTlsContext) *tlsv3.CertificateValidationContext {
	return t.GetCombinedValidationContext().DefaultValidationContext
}

// Each corruption is a way in which a compiler could be wrong. If the
// interpreter answers every question as before, it would let that mistake through.
func TestCorruptionsAreSeen(t *testing.T) {
	m := pair()
	for name, corrupt := range corruptions {
		t.Run(name, func(t *testing.T) {
			plan, err := envoy.Lower(m)
			if err != nil {
				t.Fatal(err)
			}
			before := string(planBytes(plan))
			corrupt(plan)
			if string(planBytes(plan)) == before && !structural[name] {
				t.Fatal("the corruption changed nothing: the test is broken")
			}
			if !seen(m, plan) {
				t.Error("every question was answered as if nothing had happened")
			}
		})
	}
}

// structural corruptions change the plan's references, not its resources.
var structural = map[string]bool{"the network RBAC is gone": true, "a target port has no chains": true,
	"two services' clusters are swapped": true, "two services' accounts are swapped": true}

func planBytes(p *ir.Plan) []byte {
	var out []byte
	for _, r := range p.Resources {
		out = append(out, r.Body...)
	}
	return out
}

// seen tells whether some question has another answer than the mesh's, or none.
func seen(m *ir.Mesh, plan *ir.Plan) bool {
	compiled, err := verify.New(plan)
	if err != nil {
		return true
	}
	for _, r := range questions() {
		got, err := compiled.Decide(r)
		if err != nil || ir.Decide(m, r).Disagreement(got) != "" {
			return true
		}
	}
	return false
}

func TestUncorruptedAgrees(t *testing.T) {
	m := pair()
	plan, err := envoy.Lower(m)
	if err != nil {
		t.Fatal(err)
	}
	if seen(m, plan) {
		t.Error("the interpreter disagrees with a mesh that nobody touched")
	}
}

// Whatever byte of a plan is damaged, the interpreter answers or refuses; it
// never panics.
func FuzzDamagedPlan(f *testing.F) {
	m := pair()
	plan, err := envoy.Lower(m)
	if err != nil {
		f.Fatal(err)
	}
	for i, r := range plan.Resources {
		for at := 0; at < len(r.Body); at += 1 + len(r.Body)/20 {
			f.Add(uint(i), uint(at), byte(1+at%255))
		}
	}
	f.Fuzz(func(t *testing.T, resource, at uint, with byte) {
		damaged := *plan
		damaged.Resources = slices.Clone(plan.Resources)
		r := &damaged.Resources[resource%uint(len(plan.Resources))]
		r.Body = slices.Clone(r.Body)
		r.Body[at%uint(len(r.Body))] ^= with
		compiled, err := verify.New(&damaged)
		if err != nil {
			return
		}
		for _, q := range questions() {
			_, _ = compiled.Decide(q)
		}
	})
}
