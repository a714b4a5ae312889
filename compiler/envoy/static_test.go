package envoy_test

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/meshc/meshc/compiler/ir"
)

// static is a plan's configuration of one proxy with everything inlined that
// Envoy would discover, for its validation mode follows no xDS.
type static struct {
	t          *testing.T
	plan       *ir.Plan
	routes     map[string]*routev3.RouteConfiguration
	extensions map[string]*corev3.TypedExtensionConfig
	out        *bootstrapv3.Bootstrap_StaticResources
}

func newStatic(t *testing.T, plan *ir.Plan) *static {
	return &static{t, plan, map[string]*routev3.RouteConfiguration{}, map[string]*corev3.TypedExtensionConfig{}, &bootstrapv3.Bootstrap_StaticResources{}}
}

func (s *static) discover(route, extension ir.Ref) {
	if route != ir.NoRef {
		r := read(s.t, s.plan, route, &routev3.RouteConfiguration{})
		s.routes[r.Name] = r
	}
	if extension != ir.NoRef {
		e := read(s.t, s.plan, extension, &corev3.TypedExtensionConfig{})
		s.extensions[e.Name] = e
	}
}

// inline puts routes and extensions into a listener's chains.
func (s *static) inline(l *listenerv3.Listener) {
	s.t.Helper()
	chains := l.FilterChains
	if l.DefaultFilterChain != nil {
		chains = append(chains[:len(chains):len(chains)], l.DefaultFilterChain)
	}
	for _, c := range chains {
		for _, f := range c.Filters {
			if f.GetConfigDiscovery() != nil {
				e := s.extensions[f.Name]
				if e == nil {
					s.t.Fatalf("%s: no extension %s", l.Name, f.Name)
				}
				f.ConfigType = &listenerv3.Filter_TypedConfig{TypedConfig: e.TypedConfig}
			}
			m := &hcmv3.HttpConnectionManager{}
			if !f.GetTypedConfig().MessageIs(m) {
				continue
			}
			must(s.t, f.GetTypedConfig().UnmarshalTo(m))
			if rds := m.GetRds(); rds != nil {
				r := s.routes[rds.RouteConfigName]
				if r == nil {
					s.t.Fatalf("%s: no route %s", l.Name, rds.RouteConfigName)
				}
				r = proto.Clone(r).(*routev3.RouteConfiguration)
				r.ValidateClusters = wrapperspb.Bool(true)
				m.RouteSpecifier = &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: r}
			}
			a, err := anypb.New(m)
			must(s.t, err)
			f.ConfigType = &listenerv3.Filter_TypedConfig{TypedConfig: a}
		}
	}
	s.out.Listeners = append(s.out.Listeners, l)
}

func (s *static) cluster(ref ir.Ref) {
	c := read(s.t, s.plan, ref, &clusterv3.Cluster{})
	s.ownSecrets(c)
	for _, have := range s.out.Clusters {
		if have.Name == c.Name {
			return
		}
	}
	s.out.Clusters = append(s.out.Clusters, c)
}

// ownSecrets points a cluster without EDS at secrets of the bootstrap: written
// down there, and with secrets over ADS, it would crash Envoy, which opens its
// stream after such clusters (Envoy issue 15517). By CDS it comes later.
func (s *static) ownSecrets(c *clusterv3.Cluster) {
	s.t.Helper()
	if c.GetType() == clusterv3.Cluster_EDS || c.TransportSocket == nil {
		return
	}
	tls := &tlsv3.UpstreamTlsContext{}
	must(s.t, c.TransportSocket.GetTypedConfig().UnmarshalTo(tls))
	common := tls.CommonTlsContext
	common.TlsCertificateSdsSecretConfigs[0].SdsConfig = nil
	common.GetCombinedValidationContext().ValidationContextSdsSecretConfig.SdsConfig = nil
	a, err := anypb.New(tls)
	must(s.t, err)
	c.TransportSocket.ConfigType = &corev3.TransportSocket_TypedConfig{TypedConfig: a}
	if len(s.out.Secrets) > 0 {
		return
	}
	w := &world{t: s.t, ca: newAuthority(s.t)}
	for _, r := range w.secrets(account("test/test")) {
		s.out.Secrets = append(s.out.Secrets, r.(*tlsv3.Secret))
	}
}

// scope inlines what an identity sees. Outside leaves that are withheld are
// kept: Envoy's validation insists on every cluster of a route.
func (s *static) scope(sc ir.Scope) {
	virtual := read(s.t, s.plan, sc.Virtual, &listenerv3.Listener{})
	if sc.Ranged != ir.NoRef {
		guard := read(s.t, s.plan, sc.Ranged, &listenerv3.FilterChain{})
		guard.FilterChainMatch = &listenerv3.FilterChainMatch{PrefixRanges: []*corev3.CidrRange{{AddressPrefix: "10.0.0.0", PrefixLen: wrapperspb.UInt32(8)}}}
		virtual.FilterChains = append(virtual.FilterChains, guard)
	}
	s.inline(virtual)
	for _, ref := range sc.Extra {
		s.cluster(ref)
	}
	clusters := map[ir.PortID]ir.Ref{}
	for _, c := range s.plan.Clusters {
		clusters[c.Port] = c.Resource
	}
	for _, o := range s.plan.Outbound {
		if !contains(sc.Outbound, o.Port) {
			continue
		}
		s.discover(o.Route, o.Extension)
		l := read(s.t, s.plan, o.Listener, &listenerv3.Listener{})
		l.Address = address(netip.MustParseAddrPort(fmt.Sprintf("240.0.0.%d:%d", 1+len(s.out.Listeners), o.Port.Port)))
		s.inline(l)
		for _, c := range o.Clusters {
			s.cluster(clusters[c])
		}
		if o.Direct != ir.NoRef {
			s.cluster(o.Direct)
		}
	}
}

func (s *static) role(r ir.RolePlan) {
	body := s.plan.Resources[r.Listener].Body
	for i, p := range r.Ports {
		s.discover(p.Route, p.Extension)
		for _, ref := range p.Chains {
			body = appendChain(s.t, body, s.plan.Resources[ref].Body, uint32(20000+i))
		}
	}
	l := &listenerv3.Listener{}
	must(s.t, proto.Unmarshal(body, l))
	s.inline(l)
}

func (s *static) json() []byte {
	s.t.Helper()
	var b bootstrapv3.Bootstrap
	must(s.t, protojson.Unmarshal([]byte(bootstrapJSON("static", netip.MustParseAddrPort("127.0.0.1:1"))), &b))
	b.DynamicResources.LdsConfig, b.DynamicResources.CdsConfig = nil, nil
	b.StaticResources.Clusters = append(b.StaticResources.Clusters, s.out.Clusters...)
	b.StaticResources.Listeners, b.StaticResources.Secrets = s.out.Listeners, s.out.Secrets
	out, err := protojson.Marshal(&b)
	must(s.t, err)
	return out
}

// Each proxy of the mesh with everything in it must start.
func TestEnvoyAcceptsTheConfigurationOfEveryProxy(t *testing.T) {
	plan := lower(t, everything())
	binary := envoyBinary(t)
	scopes := map[ir.Identity]ir.Scope{}
	for _, i := range plan.Identities {
		scopes[i.Identity] = plan.Scopes[i.Scope]
	}
	for _, role := range plan.Roles {
		s := newStatic(t, plan)
		s.scope(scopes[role.Identity])
		s.role(role)
		config := filepath.Join(t.TempDir(), "envoy.json")
		must(t, os.WriteFile(config, s.json(), 0o600))
		out, err := exec.Command(binary, "--mode", "validate", "-c", config, "-l", "warning").CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", ir.RoleName(role.Identity, role.Services), err, out)
		}
	}
}
