package envoy_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/meshc/meshc/compiler/envoy"
	"github.com/meshc/meshc/compiler/ir"
)

// everything is a mesh with each kind of thing that lowering knows.
func everything() *ir.Mesh {
	m := strictMesh()
	m.Settings.MaxStreamDuration = 1e9
	addService(m, "shop/books", httpPort(), tcpPort(ir.TCPServerFirst), ir.Port{Number: 443, Protocol: ir.TLS, TargetPort: 8443}, ir.Port{Number: 53, Protocol: ir.UDP, TargetPort: 53})
	addService(m, "shop/v2", httpPort(), tcpPort(ir.TCP), ir.Port{Number: 90, Protocol: ir.GRPC, TargetName: "grpc"})
	addService(m, "audit/books", httpPort(), tcpPort(ir.TCP))
	addService(m, "open/books", httpPort(), tcpPort(ir.TCP))
	addService(m, "db/pods", httpPort(), tcpPort(ir.TCP)).Headless = true
	m.Services = append(m.Services, ir.Service{ID: svcID("out/legacy"), Outside: true, Ports: []ir.Port{httpPort(), tcpPort(ir.TCP)}})
	m.Services = append(m.Services, ir.Service{ID: svcID("shop/nobody"), Ports: []ir.Port{httpPort()}})
	m.Namespaces = []ir.Namespace{
		{Name: "audit", Mode: ir.Audit, PlaintextAllowed: true},
		{Name: "free", Mode: ir.Strict, EgressAllowed: true},
		{Name: "open", Mode: ir.Permissive, PlaintextAllowed: true},
	}
	addClients(m, "shop/buyer", "free/worker", "shop/idle", "shop/idle2")
	reads := []ir.Match{match("^(?:/books).*$", []string{"GET", "HEAD"}, ir.HeaderMatch{Name: "x-a", Regex: "b"}), match("", nil)}
	grant(m, "TrafficTarget/shop/books#rule0", "shop/books", reads, "shop/buyer", "free/worker")
	grant(m, "TrafficTarget/shop/books#rule1", "shop/books", nil, "shop/buyer")
	grant(m, "TrafficTarget/audit/books#rule0", "audit/books", reads, "shop/buyer")
	grant(m, "TrafficTarget/db/pods#rule0", "db/pods", nil, "shop/v2")
	grant(m, "TrafficTarget/shop/v2#rule0", "shop/v2", nil, "shop/buyer")
	addSplit(m, "shop/split", "shop/books", 80, reads[:1], map[string]uint32{"shop/v2": 3, "shop/gone": 1, "out/legacy": 1, "shop/books": 0})
	addSplit(m, "shop/tcp", "shop/books", 3306, nil, map[string]uint32{"shop/v2": 3, "shop/books": 1})
	return m
}

func lower(t *testing.T, m *ir.Mesh) *ir.Plan {
	t.Helper()
	plan, err := envoy.Lower(m)
	must(t, err)
	return plan
}

func samePlan(t *testing.T, a, b *ir.Plan) bool {
	t.Helper()
	x, err := json.Marshal(a)
	must(t, err)
	y, err := json.Marshal(b)
	must(t, err)
	return bytes.Equal(x, y) && slices.EqualFunc(a.Resources, b.Resources, func(x, y ir.Resource) bool {
		return x.Type == y.Type && x.Name == y.Name && bytes.Equal(x.Body, y.Body)
	})
}

// Bundles of one policy must have one digest on every machine.
func TestEqualMeshesGiveEqualPlans(t *testing.T) {
	first := lower(t, everything())
	for i := range 10 {
		m := everything()
		rand.Shuffle(len(m.Services), func(i, j int) { m.Services[i], m.Services[j] = m.Services[j], m.Services[i] })
		rand.Shuffle(len(m.Grants), func(i, j int) { m.Grants[i], m.Grants[j] = m.Grants[j], m.Grants[i] })
		rand.Shuffle(len(m.Roles), func(i, j int) { m.Roles[i], m.Roles[j] = m.Roles[j], m.Roles[i] })
		sortMesh(m)
		before := runtime.GOMAXPROCS(1 + i%3)
		again := lower(t, m)
		runtime.GOMAXPROCS(before)
		if !samePlan(t, first, again) {
			t.Fatal("the same mesh, built in another order or on more cores, gave another plan")
		}
	}
	if !slices.IsSortedFunc(first.Resources, func(a, b ir.Resource) int {
		return slices.Compare([]string{string(a.Type), a.Name, string(a.Body)}, []string{string(b.Type), b.Name, string(b.Body)})
	}) {
		t.Error("resources are not sorted by type, name and body")
	}
}

var messages = map[ir.ResourceType]func() proto.Message{
	ir.TypeListener:  func() proto.Message { return &listenerv3.Listener{} },
	ir.TypeRoute:     func() proto.Message { return &routev3.RouteConfiguration{} },
	ir.TypeCluster:   func() proto.Message { return &clusterv3.Cluster{} },
	ir.TypeExtension: func() proto.Message { return &corev3.TypedExtensionConfig{} },
	ir.TypeChain:     func() proto.Message { return &listenerv3.FilterChain{} },
}

// walk visits a message and everything in it, through each Any.
func walk(t *testing.T, m proto.Message, visit func(proto.Message)) {
	t.Helper()
	visit(m)
	if a, ok := m.(*anypb.Any); ok {
		inner, err := a.UnmarshalNew()
		must(t, err)
		walk(t, inner, visit)
		return
	}
	m.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.IsMap() && f.MapValue().Message() != nil:
			v.Map().Range(func(_ protoreflect.MapKey, e protoreflect.Value) bool {
				walk(t, e.Message().Interface(), visit)
				return true
			})
		case f.IsMap() || f.Message() == nil:
		case f.IsList():
			for i := range v.List().Len() {
				walk(t, v.List().Get(i).Message().Interface(), visit)
			}
		default:
			walk(t, v.Message().Interface(), visit)
		}
		return true
	})
}

func visitAll(t *testing.T, plan *ir.Plan, visit func(r ir.Resource, m proto.Message)) {
	t.Helper()
	for _, r := range plan.Resources {
		m := messages[r.Type]()
		must(t, proto.Unmarshal(r.Body, m))
		walk(t, m, func(m proto.Message) { visit(r, m) })
	}
}

// ValidateAll does not look into an Any, and Envoy refuses what it would find.
func TestEveryMessageInEveryAnyIsValid(t *testing.T) {
	visitAll(t, lower(t, everything()), func(r ir.Resource, m proto.Message) {
		if l, ok := m.(*listenerv3.Listener); ok && l.Address == nil {
			l.Address = &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: "/placeholder"}}}
		}
		if v, ok := m.(interface{ ValidateAll() error }); ok {
			if err := v.ValidateAll(); err != nil {
				t.Errorf("%s %s: %v", r.Type, r.Name, err)
			}
		}
	})
}

// An empty list of names would accept every certificate of the mesh.
func TestEveryCertificateCheckNamesSomebody(t *testing.T) {
	checks := 0
	visitAll(t, lower(t, everything()), func(r ir.Resource, m proto.Message) {
		up, ok := m.(*tlsv3.UpstreamTlsContext)
		if !ok {
			return
		}
		checks++
		if len(up.CommonTlsContext.GetCombinedValidationContext().GetDefaultValidationContext().GetMatchTypedSubjectAltNames()) == 0 {
			t.Errorf("%s %s takes any certificate of the mesh for the service", r.Type, r.Name)
		}
	})
	if checks == 0 {
		t.Error("no cluster checks a certificate")
	}
}

// What a client is sent must not depend on who it is: bytes are shared.
func TestOutboundResourcesNameNoClient(t *testing.T) {
	plan := lower(t, everything())
	for _, o := range plan.Outbound {
		for _, ref := range []ir.Ref{o.Listener, o.Route, o.Extension, o.Direct} {
			if ref == ir.NoRef {
				continue
			}
			for _, client := range []string{"shop/buyer", "free/worker", "ns/shop/sa/buyer", account("shop/buyer").SNI()} {
				if bytes.Contains(plan.Resources[ref].Body, []byte(client)) {
					t.Errorf("%s names the client %s", plan.Resources[ref].Name, client)
				}
			}
		}
	}
}

func outboundOf(t *testing.T, plan *ir.Plan, who string) string {
	t.Helper()
	var out []string
	for _, p := range scopeOf(t, plan, account(who)).Outbound {
		out = append(out, p.String())
	}
	return strings.Join(out, " ")
}

func TestScopesHoldWhatAnIdentityMayCall(t *testing.T) {
	plan := lower(t, everything())
	open := "audit/books:80 audit/books:3306 "
	for who, want := range map[string]string{
		// A grant to a leaf brings the roots that send it calls.
		"shop/buyer": open + "open/books:80 open/books:3306 shop/books:80 shop/books:443 shop/books:3306 shop/v2:80 shop/v2:90 shop/v2:3306",
		"shop/v2":    open + "db/pods:80 db/pods:3306 open/books:80 open/books:3306",
		"shop/idle":  open + "open/books:80 open/books:3306",
		// Egress brings the services outside, and the root that has one as a leaf.
		"free/worker": open + "open/books:80 open/books:3306 out/legacy:80 out/legacy:3306 shop/books:80 shop/books:443 shop/books:3306",
	} {
		if got := outboundOf(t, plan, who); got != want {
			t.Errorf("%s sees\n%s\nwant\n%s", who, got, want)
		}
	}
	number := map[ir.Identity]int{}
	for _, i := range plan.Identities {
		number[i.Identity] = i.Scope
	}
	if number[account("shop/idle")] != number[account("shop/idle2")] {
		t.Error("identities that see the same do not share a scope")
	}
	if without := scopeOf(t, plan, account("shop/buyer")).Without; len(without) != 1 || without[0] != portID("out/legacy", 80) {
		t.Errorf("without egress a leaf outside the mesh is withheld, got %v", without)
	}
	if without := scopeOf(t, plan, account("free/worker")).Without; len(without) != 0 {
		t.Errorf("with egress %v is withheld", without)
	}
}

func TestHeadlessServicesKeepTheAddressThatWasDialled(t *testing.T) {
	plan := lower(t, everything())
	for _, o := range plan.Outbound {
		if o.Port.Service != svcID("db/pods") {
			continue
		}
		if !o.Headless || o.Direct == ir.NoRef || len(o.Clusters) != 0 {
			t.Fatalf("%s: %+v", o.Port, o)
		}
		c := read(t, plan, o.Direct, &clusterv3.Cluster{})
		if c.GetType() != clusterv3.Cluster_ORIGINAL_DST || c.TransportSocket == nil {
			t.Errorf("%s is reached by %v", o.Port, c)
		}
		ref := o.Route
		if ref == ir.NoRef {
			ref = o.Extension
		}
		if !bytes.Contains(plan.Resources[ref].Body, []byte("direct/"+o.Port.String())) {
			t.Errorf("%s does not lead to its direct cluster", o.Port)
		}
	}
}

func TestLateFactsSayWhoBindsAndWhatDriftDoes(t *testing.T) {
	kinds := map[string]bool{}
	for _, f := range lower(t, everything()).Late {
		kinds[f.Kind] = true
		if f.About == "" || f.By == "" || f.Drift == "" {
			t.Errorf("half a fact: %+v", f)
		}
	}
	for _, k := range []string{"address", "endpoints", "protocol", "ranges", "role", "targetPort"} {
		if !kinds[k] {
			t.Errorf("no late fact of kind %s", k)
		}
	}
}

func TestExpressionsThatEnvoyWouldRefuseAreRefusedHere(t *testing.T) {
	for expr, ok := range map[string]bool{
		`^(?:/users/[^/]{1,128}$).*$`:                   true,
		`^(?:/([^/]{1,900}|x{1,900})).*`:                true,
		`^(?:/(a{1,900}){1,20}).*$`:                     false,
		`^(?:/` + strings.Repeat(`\pL{1,900}`, 5) + `)`: false,
		`^(?:/café).*$`:                                 false,
		`^(?:/(`:                                        false,
	} {
		m := shop()
		m.Grants[0].HTTP[0].Path = expr
		if _, err := envoy.Lower(m); (err == nil) != ok {
			t.Errorf("%s: %v", expr, err)
		}
	}
}
