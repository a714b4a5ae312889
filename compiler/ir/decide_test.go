package ir_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler/ir"
)

func id(short string) ir.Identity {
	i, ok := ir.ParseIdentity("cluster.local", short)
	if !ok {
		panic(short)
	}
	return i
}

func ids(shorts ...string) []ir.Identity {
	var out []ir.Identity
	for _, s := range shorts {
		out = append(out, id(s))
	}
	return out
}

func svc(name string) ir.ServiceID {
	ns, n, _ := strings.Cut(name, "/")
	return ir.ServiceID{Namespace: ns, Name: n}
}

func port(name string, number uint16) ir.PortID { return ir.PortID{Service: svc(name), Port: number} }

func service(name string, ports []ir.Port, accounts ...string) ir.Service {
	return ir.Service{ID: svc(name), Ports: ports, Accounts: ids(accounts...)}
}

func http80() []ir.Port {
	return []ir.Port{{Number: 80, Protocol: ir.HTTP, TargetPort: 8080}}
}

// shop is a mesh with one of everything that a verdict can show.
func shop() *ir.Mesh {
	m := &ir.Mesh{
		Settings: ir.Settings{
			TrustDomain: "cluster.local", ClusterDomain: "cluster.local", Mode: ir.Strict,
			ServiceRanges: []netip.Prefix{netip.MustParsePrefix("10.96.0.0/12")},
		},
		Namespaces: []ir.Namespace{
			{Name: "free", Mode: ir.Permissive},
			{Name: "legacy", Mode: ir.Strict, PlaintextAllowed: true},
			{Name: "out", Mode: ir.Strict, EgressAllowed: true},
			{Name: "watched", Mode: ir.Audit},
		},
		Identities: ids("free/app", "legacy/app", "out/app", "shop/buyer", "shop/db", "shop/thief", "shop/v1", "shop/v2", "watched/app"),
		Services: []ir.Service{
			service("free/app", http80(), "free/app"),
			service("legacy/app", http80(), "legacy/app"),
			service("shop/both", http80(), "shop/v1", "shop/v2"),
			service("shop/db", []ir.Port{{Number: 53, Protocol: ir.UDP}, {Number: 3306, Protocol: ir.TCPServerFirst}}, "shop/db"),
			service("shop/empty", http80()),
			service("shop/root", http80(), "shop/v1", "shop/v2"),
			{ID: svc("shop/unmeshed"), Outside: true, Ports: http80()},
			service("shop/v1", http80(), "shop/v1"),
			service("shop/v2", http80(), "shop/v2"),
			service("watched/app", append(http80(), ir.Port{Number: 90, Protocol: ir.TCP}), "watched/app"),
		},
		Grants: []ir.Grant{
			{Name: "TrafficTarget/shop/db#rule0", Sources: ids("shop/v1"), Destination: id("shop/db"), Ports: []ir.PortID{port("shop/db", 3306)}},
			{Name: "TrafficTarget/shop/v1#rule0", Sources: ids("shop/buyer"), Destination: id("shop/v1"),
				Ports: []ir.PortID{port("shop/both", 80), port("shop/root", 80), port("shop/v1", 80)},
				HTTP: []ir.Match{
					{Name: "HTTPRouteGroup/shop/g#list", Path: `^(?:/books).*$`, Methods: []string{"GET", "HEAD"}},
					{Name: "HTTPRouteGroup/shop/g#admin", Path: `^(?:/admin).*$`, Headers: []ir.HeaderMatch{{Name: "x-role", Regex: "^admin$"}}},
					{Name: "HTTPRouteGroup/shop/g#host", Path: `^(?:/host).*$`, Headers: []ir.HeaderMatch{{Name: ":authority", Regex: "v1.*", Full: true}}},
					{Name: "HTTPRouteGroup/shop/g#id", Path: `^(?:/id).*$`, Headers: []ir.HeaderMatch{{Name: "x-request-id", Regex: ".*"}}},
				}},
			{Name: "TrafficTarget/watched/app#rule0", Sources: ids("shop/buyer"), Destination: id("watched/app"), Ports: []ir.PortID{port("watched/app", 80)},
				HTTP: []ir.Match{{Path: "^(?:/known).*$"}}},
		},
	}
	return m
}

// split lays a split over shop's root service.
func split(backends ...ir.Backend) *ir.Mesh {
	m := shop()
	m.Splits = []ir.Split{{Name: "TrafficSplit/shop/s", Root: svc("shop/root"), Backends: backends}}
	return m
}

func backend(name string, weight uint32) ir.Backend {
	return ir.Backend{Service: svc(name), Weight: weight, Ports: []uint16{80}}
}

func get(path string, headers ...string) *ir.HTTPRequest {
	r := &ir.HTTPRequest{Method: "GET", Path: path}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Headers = append(r.Headers, ir.Header{Name: headers[i], Value: headers[i+1]})
	}
	return r
}

func call(from, to string, number uint16, http *ir.HTTPRequest) ir.Request {
	r := ir.Request{To: port(to, number), HTTP: http}
	if from != "" {
		r.From = id(from)
	}
	return r
}

type decideCase struct {
	name   string
	mesh   *ir.Mesh // shop() when nil
	ask    ir.Request
	want   ir.Outcome
	status int
	by     string // joined by a space
	reason string // a part of Reason or of Near
}

func (c decideCase) run(t *testing.T) {
	m := c.mesh
	if m == nil {
		m = shop()
	}
	v := ir.Decide(m, c.ask)
	if v.Outcome != c.want || v.Status != c.status || strings.Join(v.By, " ") != c.by {
		t.Errorf("got %s, status %d, by %q (%s); want %s, status %d, by %q", v.Outcome, v.Status, v.By, v.Reason, c.want, c.status, c.by)
	}
	if said := v.Reason + "\n" + strings.Join(v.Near, "\n"); !strings.Contains(said, c.reason) {
		t.Errorf("the reason does not say %q:\n%s", c.reason, said)
	}
	if v.Reason == "" || strings.HasSuffix(v.Reason, ".") {
		t.Errorf("reason %q is no sentence in the style of findings", v.Reason)
	}
}

const v1Grant = "TrafficTarget/shop/v1#rule0"

func TestDecideAccess(t *testing.T) {
	post := get("/books")
	post.Method = "POST"
	for _, c := range []decideCase{
		{name: "row 10 strict, a grant", ask: call("shop/buyer", "shop/v1", 80, get("/books/1?x=/admin")), want: ir.Allow, by: v1Grant},
		{name: "row 10 strict, no grant: refused at the client", ask: call("shop/thief", "shop/v1", 80, get("/books")), want: ir.Deny, status: 403, reason: v1Grant + " lets shop/buyer in, not shop/thief"},
		{name: "row 10 strict, raw bytes close", ask: call("shop/thief", "shop/db", 3306, nil), want: ir.Deny},
		{name: "row 10 method", ask: call("shop/buyer", "shop/v1", 80, post), want: ir.Deny, status: 403, reason: "method POST is none of GET, HEAD"},
		{name: "row 10 path", ask: call("shop/buyer", "shop/v1", 80, get("/x")), want: ir.Deny, status: 403, reason: `path /x does not match`},
		{name: "row 10 permissive", ask: call("shop/thief", "free/app", 80, get("/")), want: ir.Allow, by: ir.ByPermissive},
		{name: "row 10 permissive takes no plain client", ask: call("", "free/app", 80, get("/")), want: ir.Deny, reason: "without a mesh certificate"},
		{name: "row 10 plaintext", ask: call("", "legacy/app", 80, get("/")), want: ir.Allow, by: ir.ByPlaintext},
		{name: "row 10 plaintext opens nothing to identities", ask: call("shop/thief", "legacy/app", 80, get("/")), want: ir.Deny, status: 403},
		{name: "row 10 audit, covered", ask: call("shop/buyer", "watched/app", 80, get("/known")), want: ir.Allow, by: "TrafficTarget/watched/app#rule0"},
		{name: "row 10 audit, lacking", ask: call("shop/buyer", "watched/app", 80, get("/other")), want: ir.Allow, by: ir.ByAudit, reason: "path /other does not match"},
		{name: "row 10 audit, TCP", ask: call("shop/thief", "watched/app", 90, nil), want: ir.Allow, by: ir.ByAudit},
		{name: "row 10 audit takes no plain client", ask: call("", "watched/app", 80, get("/known")), want: ir.Deny},
		{name: "row 18 a TCP grant", ask: call("shop/v1", "shop/db", 3306, nil), want: ir.Allow, by: "TrafficTarget/shop/db#rule0"},
		{name: "HTTP to a TCP port is just bytes", ask: call("shop/v1", "shop/db", 3306, get("/%2f")), want: ir.Allow, by: "TrafficTarget/shop/db#rule0"},
		{name: "raw bytes to an HTTP port", ask: call("shop/buyer", "shop/v1", 80, nil), want: ir.Deny, reason: "HTTP port"},
		{name: "row 27 accounts behind one service", ask: call("shop/buyer", "shop/both", 80, get("/books")), want: ir.Mixed, by: v1Grant, reason: "run by shop/v2"},
		{name: "row 28 calling oneself needs a grant", ask: call("shop/v1", "shop/v1", 80, get("/books")), want: ir.Deny, status: 403},
		{name: "row 30 UDP", ask: call("shop/v1", "shop/db", 53, nil), want: ir.Unknown, reason: "UDP"},
		{name: "an unknown service", ask: call("shop/buyer", "other/v1", 80, get("/")), want: ir.Unknown, reason: "near are shop/v1"},
		{name: "an unknown port", ask: call("shop/buyer", "shop/v1", 81, get("/")), want: ir.Unknown, reason: "it has 80"},
		{name: "an unknown account", ask: call("shop/nobody", "shop/v1", 80, get("/")), want: ir.Unknown, reason: "shop/nobody"},
	} {
		t.Run(c.name, c.run)
	}
}

func TestDecideRequests(t *testing.T) {
	for _, c := range []decideCase{
		{name: "row 20 a longer path", ask: call("shop/buyer", "shop/v1", 80, get("/bookshelf")), want: ir.Allow, by: v1Grant},
		{name: "row 20 anchored at the start", ask: call("shop/buyer", "shop/v1", 80, get("/x/books")), want: ir.Deny, status: 403},
		{name: "row 21 header", ask: call("shop/buyer", "shop/v1", 80, get("/admin", "X-Role", "admin")), want: ir.Allow, by: v1Grant},
		{name: "row 21 any line", ask: call("shop/buyer", "shop/v1", 80, get("/admin", "x-role", "user", "x-role", "admin")), want: ir.Allow, by: v1Grant},
		{name: "row 21 lines are not joined", ask: call("shop/buyer", "shop/v1", 80, get("/admin", "x-role", "user,admin")), want: ir.Deny, status: 403, reason: "header x-role is user,admin"},
		{name: "row 21 missing", ask: call("shop/buyer", "shop/v1", 80, get("/admin")), want: ir.Deny, status: 403, reason: "header x-role is missing"},
		{name: "row 21 host is the authority", ask: call("shop/buyer", "shop/v1", 80, get("/host", "Host", "v1.example")), want: ir.Allow, by: v1Grant},
		{name: "row 21 the service is the default host", ask: call("shop/buyer", "shop/v1", 80, get("/host")), want: ir.Allow, by: v1Grant},
		{name: "row 21 osm: full", ask: call("shop/buyer", "shop/v1", 80, get("/host", "host", "a.v1")), want: ir.Deny, status: 403},
		{name: "row 21 a header that proxies write", ask: call("shop/buyer", "shop/v1", 80, get("/id", "X-Request-Id", "1")), want: ir.Deny, status: 403, reason: "no match on header x-request-id holds"},
		{name: "row 22 dot segments", ask: call("shop/buyer", "shop/v1", 80, get("/books/../x")), want: ir.Deny, status: 403, reason: "path /x"},
		{name: "row 22 encoded dots", ask: call("shop/buyer", "shop/v1", 80, get("/x/%2e%2E/books")), want: ir.Allow, by: v1Grant},
		{name: "row 22 slashes", ask: call("shop/buyer", "shop/v1", 80, get("//books")), want: ir.Allow, by: v1Grant},
		{name: "row 22 escaped slash", ask: call("shop/buyer", "shop/v1", 80, get("/books%2f..")), want: ir.Deny, status: 400},
		{name: "row 22 escaped backslash", ask: call("shop/buyer", "shop/v1", 80, get("/books%5C")), want: ir.Deny, status: 400},
		{name: "row 22 the second proxy resolves more", ask: call("shop/buyer", "shop/v1", 80, get("/books/%2e%2e;/x")), want: ir.Deny, status: 403, reason: "path /x"},
		{name: "an escaped slash to an unlisted service", ask: call("shop/thief", "shop/v1", 80, get("/%2F")), want: ir.Deny, status: 400},
	} {
		t.Run(c.name, c.run)
	}
}

func TestDecideSplits(t *testing.T) {
	missing := ir.Backend{Service: svc("shop/gone"), Weight: 1, Ports: []uint16{80}, Missing: true}
	byHeader := split(backend("shop/v1", 1))
	byHeader.Splits[0].Matches = []ir.Match{{Path: "^(?:/books).*$", Headers: []ir.HeaderMatch{{Name: "canary", Regex: "yes"}}}}
	otherPort := split(ir.Backend{Service: svc("shop/v2"), Weight: 1, Ports: []uint16{81}})
	ask := call("shop/buyer", "shop/root", 80, get("/books"))
	for _, c := range []decideCase{
		{name: "row 41 every leaf lets in", mesh: split(backend("shop/v1", 1)), ask: ask, want: ir.Allow, by: v1Grant},
		{name: "row 49 the chosen leaf decides", mesh: split(backend("shop/v1", 1), backend("shop/v2", 1)), ask: ask, want: ir.Mixed, by: v1Grant, reason: "shop/v1 takes its share, shop/v2 does not"},
		{name: "row 49 a leaf of weight 0 says nothing", mesh: split(backend("shop/v1", 1), backend("shop/v2", 0)), ask: ask, want: ir.Allow, by: v1Grant},
		{name: "row 49 no leaf", mesh: split(backend("shop/v2", 1)), ask: ask, want: ir.Deny, status: 403},
		{name: "row 42 a backend that does not exist", mesh: split(backend("shop/v1", 1), missing), ask: ask, want: ir.Mixed, by: v1Grant, reason: "no service shop/gone"},
		{name: "row 42 nothing but it", mesh: split(missing), ask: ask, want: ir.Deny, status: 503},
		{name: "row 43 a backend without workloads", mesh: split(backend("shop/empty", 1)), ask: ask, want: ir.Deny, status: 503, reason: "no workload is known behind shop/empty"},
		{name: "row 44 a request that matches", mesh: byHeader, ask: call("shop/buyer", "shop/root", 80, get("/books", "canary", "yes")), want: ir.Allow, by: v1Grant},
		{name: "row 44 any other goes to the root's own", mesh: byHeader, ask: ask, want: ir.Mixed, by: v1Grant},
		{name: "row 45 a port that no backend has", mesh: otherPort, ask: ask, want: ir.Mixed, by: v1Grant},
		{name: "row 50 a leaf called directly", mesh: split(backend("shop/v2", 1)), ask: call("shop/buyer", "shop/v1", 80, get("/books")), want: ir.Allow, by: v1Grant},
		{name: "a leaf outside the mesh", mesh: split(backend("shop/unmeshed", 1), backend("shop/v1", 1)), ask: ask, want: ir.Mixed, by: v1Grant, reason: "egress is denied"},
	} {
		t.Run(c.name, c.run)
	}
}

func TestDecideEgress(t *testing.T) {
	leave := func(from, to string) ir.Request {
		return ir.Request{From: id(from), External: to, HTTP: get("/")}
	}
	for _, c := range []decideCase{
		{name: "denied", ask: leave("shop/buyer", "example.org:80"), want: ir.Deny, status: 403, reason: "egress is denied to shop/buyer"},
		{name: "allowed to the namespace", ask: leave("out/app", "example.org:80"), want: ir.Allow, by: ir.ByEgress},
		{name: "an address of the mesh is not outside", ask: leave("out/app", "10.96.0.9:80"), want: ir.Deny, status: 403},
		{name: "an unmeshed service, denied", ask: call("shop/buyer", "shop/unmeshed", 80, get("/")), want: ir.Deny, status: 403, reason: "outside the mesh"},
		{name: "an unmeshed service, allowed", ask: call("out/app", "shop/unmeshed", 80, get("/")), want: ir.Allow, by: ir.ByEgress},
		{name: "both ends outside", ask: call("", "shop/unmeshed", 80, get("/")), want: ir.Unknown},
	} {
		t.Run(c.name, c.run)
	}
}

// A mesh without grants in strict mode allows nothing, whatever is asked.
func TestNoAllowWithoutGrant(t *testing.T) {
	m := shop()
	m.Grants, m.Namespaces = nil, nil
	for _, from := range append([]ir.Identity{""}, m.Identities...) {
		for _, s := range m.Services {
			for _, p := range s.Ports {
				for _, http := range []*ir.HTTPRequest{nil, get("/"), get("/books", "x-role", "admin")} {
					v := ir.Decide(m, ir.Request{From: from, To: ir.PortID{Service: s.ID, Port: p.Number}, HTTP: http})
					if v.Outcome == ir.Allow || v.Outcome == ir.Mixed {
						t.Errorf("%s to %s:%d is %s by %v", from, s.ID, p.Number, v.Outcome, v.By)
					}
				}
			}
		}
	}
}

func TestDecideLeaves(t *testing.T) {
	v := ir.Decide(split(backend("shop/v1", 3), backend("shop/v2", 1)), call("shop/buyer", "shop/root", 80, get("/books")))
	var got []string
	for _, l := range v.Leaves {
		got = append(got, l.Service.String()+" "+string(l.Outcome))
	}
	if want := []string{"shop/v1 allow", "shop/v2 deny"}; !slices.Equal(got, want) {
		t.Errorf("leaves are %v, want %v", got, want)
	}
	if v.Leaves[0].Weight != 3 || v.Leaves[1].Status != 403 {
		t.Errorf("leaves are %+v", v.Leaves)
	}
}

func TestAForeignIdentityIsNotTakenForOneOfTheMesh(t *testing.T) {
	v := ir.Decide(shop(), ir.Request{From: "spiffe://other/ns/shop/sa/buyer", To: port("shop/v1", 80)})
	if v.Outcome != ir.Unknown || !strings.Contains(v.Reason, "trust domain other, not of cluster.local") {
		t.Errorf("%s: %s; shop/buyer of the mesh is somebody else", v.Outcome, v.Reason)
	}
}
