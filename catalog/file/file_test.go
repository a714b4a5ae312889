package file_test

import (
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/catalog/file"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
)

// example is the one in the docs: what users copy must work.
func example(t testing.TB) string {
	t.Helper()
	data, err := os.ReadFile("../../docs/catalog.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(data), "```yaml\n")
	text, _, ok2 := strings.Cut(rest, "```")
	if !ok || !ok2 {
		t.Fatal("docs/catalog.md has no example")
	}
	return text
}

func parse(t *testing.T, text string) *catalog.Snapshot {
	t.Helper()
	snap, findings := file.Parse("catalog.yaml", []byte(text))
	if snap == nil {
		t.Fatalf("refused: %v", (&file.Invalid{Findings: findings}).Error())
	}
	return snap
}

func TestDocumentedExample(t *testing.T) {
	snap := parse(t, example(t))
	if len(snap.Services) != 3 || len(snap.Workloads) != 6 {
		t.Fatalf("%d services, %d workloads", len(snap.Services), len(snap.Workloads))
	}
	billing, cart, db := snap.Services[0], snap.Services[1], snap.Services[2]
	want := []catalog.Endpoint{
		{Address: netip.MustParseAddr("10.42.0.7"), Workload: "shop/cart-1", Identity: "spiffe://cluster.local/ns/shop/sa/cart", Meshed: true, Weight: 3, Locality: catalog.Locality{Region: "eu", Zone: "eu-1", SubZone: "rack-4"}},
		{Address: netip.MustParseAddr("10.42.0.8"), Workload: "shop/cart-2", Identity: "spiffe://cluster.local/ns/shop/sa/cart", Meshed: true, Ports: map[uint16]uint16{80: 8081}, Health: catalog.Draining},
		{Address: netip.MustParseAddr("fd00:42::7"), Workload: "shop/cart-1", Identity: "spiffe://cluster.local/ns/shop/sa/cart", Meshed: true, Weight: 3, Locality: catalog.Locality{Region: "eu", Zone: "eu-1", SubZone: "rack-4"}},
	}
	if !reflect.DeepEqual(cart.Endpoints, want) {
		t.Errorf("shop/cart sends to\n%+v\nwant\n%+v", cart.Endpoints, want)
	}
	if p := cart.Ports; p[0].TargetPort != 8080 || p[0].Protocol != ir.HTTP || p[1].TargetPort != 9000 || p[1].Protocol != ir.GRPC {
		t.Errorf("ports of shop/cart: %+v", p)
	}
	if !db.Headless || db.Endpoints[0].Hostname != "db-0" || db.Endpoints[0].Identity != "spiffe://cluster.local/ns/shop/sa/db" {
		t.Errorf("shop/db: %+v", db)
	}
	want4 := &catalog.Explicit{
		Upstreams:  []catalog.Upstream{{Service: ir.ServiceID{Namespace: "shop", Name: "cart"}, Port: 80, Bind: netip.MustParseAddrPort("127.0.0.1:9080")}},
		LocalPorts: map[uint16]uint16{443: 8443},
	}
	if i := slices.IndexFunc(snap.Workloads, func(w catalog.Workload) bool { return w.Name == "shop/mainframe" }); i < 0 || !reflect.DeepEqual(snap.Workloads[i].Explicit, want4) {
		t.Errorf("shop/mainframe is not proxied at the ports it names: %+v", snap.Workloads)
	}
	if cart.Spread || !db.Spread {
		t.Errorf("spread: shop/cart %v, shop/db %v", cart.Spread, db.Spread)
	}
	if len(billing.Endpoints) != 2 || billing.Endpoints[0].Meshed || billing.Endpoints[1].Workload != "" {
		t.Errorf("legacy/billing: %+v", billing.Endpoints)
	}
	for _, w := range snap.Workloads {
		if w.Name == "shop/cart-1" && !slices.Equal(w.Services, []ir.ServiceID{{Namespace: "shop", Name: "cart"}}) {
			t.Errorf("shop/cart-1 backs %v: its role is wrong and its proxy gets no inbound policy", w.Services)
		}
	}
}

func TestMarshalReadsBack(t *testing.T) {
	snap := parse(t, example(t))
	data, err := file.Marshal(snap)
	if err != nil {
		t.Fatal(err)
	}
	again := parse(t, string(data))
	if !reflect.DeepEqual(snap, again) {
		t.Errorf("a restart from the written file finds another mesh:\n%s", data)
	}
	if twice, err := file.Marshal(again); err != nil || string(twice) != string(data) {
		t.Errorf("written twice it differs (%v)", err)
	}
	bad := &catalog.Snapshot{Services: []catalog.Service{{ID: ir.ServiceID{Namespace: "a", Name: "b"}, Headless: true,
		Endpoints: []catalog.Endpoint{{Address: netip.MustParseAddr("10.0.0.1"), Workload: "a/gone", Meshed: true}}}}}
	if _, err := file.Marshal(bad); err == nil {
		t.Error("a snapshot that no file can say was written")
	}
}

func TestOrderOfLinesIsNothing(t *testing.T) {
	a := parse(t, catalogOf(`
  workloads: [{name: a/x, identity: a/x, addresses: [10.0.0.1]}, {name: a/y, identity: a/y, addresses: [10.0.0.2]}]
  services:
  - {name: a/s, vips: [10.9.0.1, 10.9.0.2], ports: [{port: 1}, {port: 2}], endpoints: [{workload: a/x}, {workload: a/y}]}
  - {name: a/t, vips: [10.9.0.3], ports: [{port: 1}], endpoints: [{workload: a/x}]}`))
	b := parse(t, catalogOf(`
  services:
  - {name: a/t, vips: [10.9.0.3], ports: [{port: 1}], endpoints: [{workload: a/x}]}
  - {name: a/s, endpoints: [{workload: a/y}, {workload: a/x}], ports: [{port: 2}, {port: 1}], vips: [10.9.0.2, 10.9.0.1]}
  workloads: [{name: a/y, identity: a/y, addresses: [10.0.0.2]}, {name: a/x, identity: a/x, addresses: [10.0.0.1]}]`))
	if !reflect.DeepEqual(a, b) {
		t.Errorf("reordered lines push new configuration to every proxy:\n%+v\n%+v", a, b)
	}
}

func catalogOf(spec string) string {
	return "apiVersion: meshc.dev/v1alpha1\nkind: Catalog\nspec:\n" + strings.TrimPrefix(spec, "\n") + "\n"
}

// fault is a catalog with one thing wrong: the code, the place, and words that
// the finding or its help must hold.
var faults = []struct{ name, spec, code, at, says string }{
	{"misspelt field", "  services:\n  - {name: a/s, vip: [10.0.0.1], ports: []}", "MSH4502", "5:17", `did you mean "vips"`},
	{"foreign field", "  policy: {}", "MSH4502", "4:3", "it may have: trustDomain"},
	{"number for text", "  workloads:\n  - {name: a/x, identity: 12}", "MSH4503", "5:27", "quotation marks"},
	{"text for a number", "  services:\n  - {name: a/s, headless: true, ports: [{port: http}]}", "MSH4503", "5:48", "whole number"},
	{"port too large", "  services:\n  - {name: a/s, headless: true, ports: [{port: 65536}]}", "MSH4503", "5:48", "65535"},
	{"port zero", "  services:\n  - {name: a/s, headless: true, ports: [{port: 0}]}", "MSH4503", "5:48", "from 1"},
	{"list for a map", "  ranges: []", "MSH4503", "4:11", "a map"},
	{"missing name", "  workloads:\n  - identity: a/x", "MSH4503", "5:5", `lacks "name"`},
	{"missing identity", "  workloads:\n  - name: a/x", "MSH4503", "5:5", `lacks "identity"`},
	{"empty endpoint", "  services:\n  - {name: a/s, headless: true, ports: [], endpoints: [{weight: 1}]}", "MSH4503", "5:56", `lacks "workload" or "address"`},
	{"unknown health", "  services:\n  - {name: a/s, headless: true, ports: [], endpoints: [{address: 10.0.0.1, health: unhealty}]}", "MSH4503", "5:84", `did you mean "unhealthy"`},
	{"unknown protocol", "  services:\n  - {name: a/s, headless: true, ports: [{port: 1, protocol: HTTP}]}", "MSH4503", "5:61", "none of http"},
	{"key twice", "  ranges: {}\n  ranges: {}", "MSH4504", "5:3", "stands twice"},
	{"workload twice", "  workloads:\n  - {name: a/x, identity: a/x}\n  - {name: a/x, identity: a/x}", "MSH4504", "6:12", "stands twice"},
	{"service twice", "  services:\n  - {name: a/s, headless: true, ports: []}\n  - {name: a/s, headless: true, ports: []}", "MSH4504", "6:12", "stands twice"},
	{"port twice", "  services:\n  - {name: a/s, headless: true, ports: [{port: 1}, {port: 1}]}", "MSH4504", "5:52", "stands twice"},
	{"endpoint twice", "  services:\n  - {name: a/s, headless: true, ports: [], endpoints: [{address: 10.0.0.1}, {address: 10.0.0.1}]}", "MSH4504", "5:77", "twice"},
	{"name for an address", "  workloads:\n  - {name: a/x, identity: a/x, addresses: [vm.example]}", "MSH4505", "5:44", "not an IPv4"},
	{"address with a port", "  workloads:\n  - {name: a/x, identity: a/x, addresses: [\"10.0.0.1:80\"]}", "MSH4505", "5:44", "not an IPv4"},
	{"address with a zone", "  workloads:\n  - {name: a/x, identity: a/x, addresses: [\"fe80::1%eth0\"]}", "MSH4505", "5:44", "zone"},
	{"mapped address", "  workloads:\n  - {name: a/x, identity: a/x, addresses: [\"::ffff:10.0.0.1\"]}", "MSH4505", "5:44", "write it as 10.0.0.1"},
	{"unspecified address", "  workloads:\n  - {name: a/x, identity: a/x, addresses: [0.0.0.0]}", "MSH4505", "5:44", "nothing can be reached"},
	{"range with host bits", "  ranges: {pods: [10.0.0.1/8]}", "MSH4505", "4:19", "did you mean 10.0.0.0/8"},
	{"address for a range", "  ranges: {pods: [10.0.0.1]}", "MSH4505", "4:19", "ADDRESS/BITS"},
	{"identity without account", "  workloads:\n  - {name: a/x, identity: x}", "MSH4506", "5:27", "neither"},
	{"identity with a blank", "  workloads:\n  - {name: a/x, identity: a/x y}", "MSH4506", "5:27", "not a SPIFFE id"},
	{"bad trust domain", "  trustDomain: Cluster.Local", "MSH4506", "4:16", "not a trust domain"},
	{"unknown workload", "  workloads: [{name: a/vm-1, identity: a/x}]\n  services:\n  - {name: a/s, headless: true, ports: [], endpoints: [{workload: a/vm1}]}", "MSH4507", "6:67", `did you mean "a/vm-1"`},
	{"unknown port", "  services:\n  - {name: a/s, headless: true, ports: [{port: 80}], endpoints: [{address: 10.0.0.1, ports: {8080: 80}}]}", "MSH4508", "5:94", "has no port 8080"},
	{"VIP twice", "  services:\n  - {name: a/s, vips: [10.0.0.1], ports: []}\n  - {name: a/t, vips: [10.0.0.1], ports: []}", "MSH4509", "6:24", "service a/s"},
	{"VIP of a workload", "  workloads: [{name: a/x, identity: a/x, addresses: [10.0.0.1]}]\n  services:\n  - {name: a/s, vips: [10.0.0.1], ports: []}", "MSH4509", "6:24", "workload a/x"},
	{"outsider with a workload's address", "  workloads: [{name: a/x, identity: a/x, addresses: [10.0.0.1]}]\n  services:\n  - {name: a/s, headless: true, ports: [], endpoints: [{address: 10.0.0.1}]}", "MSH4509", "6:66", "name the workload"},
	{"address of another", "  workloads: [{name: a/x, identity: a/x, addresses: [10.0.0.1]}]\n  services:\n  - {name: a/s, headless: true, ports: [], endpoints: [{workload: a/x, address: 10.0.0.2}]}", "MSH4510", "6:81", "has no address 10.0.0.2"},
	{"no VIP", "  services:\n  - {name: a/s, ports: []}", "MSH4511", "5:5", "neither a virtual IP"},
	{"headless with a VIP", "  services:\n  - {name: a/s, headless: true, vips: [10.0.0.1], ports: []}", "MSH4511", "5:40", "headless and has"},
	{"name without namespace", "  services:\n  - {name: cart, headless: true, ports: []}", "MSH4512", "5:12", "NAMESPACE/NAME"},
	{"name with capitals", "  services:\n  - {name: a/Cart, headless: true, ports: []}", "MSH4512", "5:12", "lower-case"},
	{"port name with a blank", "  services:\n  - {name: a/s, headless: true, ports: [{port: 1, name: \"a b\"}]}", "MSH4512", "5:57", "dashes only"},
	{"hostname with a dot", "  services:\n  - {name: a/s, headless: true, ports: [], endpoints: [{address: 10.0.0.1, hostname: a.b}]}", "MSH4512", "5:86", "DNS label"},
	{"upstream for everybody", "  workloads: [{name: a/x, identity: a/x, intercept: false, upstreams: [{service: a/s, port: 80, bind: 0.0.0.0:9080}]}]\n  services: [{name: a/s, vips: [240.0.0.1], ports: [{port: 80}]}]", "MSH4514", "4:103", "with this machine's identity"},
	{"upstream without a port", "  workloads: [{name: a/x, identity: a/x, intercept: false, upstreams: [{service: a/s, port: 80, bind: 127.0.0.1}]}]\n  services: [{name: a/s, vips: [240.0.0.1], ports: [{port: 80}]}]", "MSH4514", "4:103", "ADDRESS:PORT"},
	{"upstream on a port of Envoy's", "  workloads: [{name: a/x, identity: a/x, intercept: false, upstreams: [{service: a/s, port: 80, bind: 127.0.0.1:15001}]}]\n  services: [{name: a/s, vips: [240.0.0.1], ports: [{port: 80}]}]", "MSH4514", "4:103", "Envoy's own"},
	{"upstream bound twice", "  workloads: [{name: a/x, identity: a/x, intercept: false, upstreams: [{service: a/s, port: 80, bind: 127.0.0.1:80}, {service: a/s, port: 80, bind: 127.0.0.1:80}]}]\n  services: [{name: a/s, vips: [240.0.0.1], ports: [{port: 80}]}]", "MSH4504", "4:149", "bound twice"},
	{"upstream of nothing", "  workloads: [{name: a/x, identity: a/x, intercept: false, upstreams: [{service: a/t, port: 80, bind: 127.0.0.1:80}]}]\n  services: [{name: a/s, vips: [240.0.0.1], ports: [{port: 80}]}]", "MSH4507", "4:82", `did you mean "a/s"`},
	{"upstream of no port", "  workloads: [{name: a/x, identity: a/x, intercept: false, upstreams: [{service: a/s, port: 81, bind: 127.0.0.1:80}]}]\n  services: [{name: a/s, vips: [240.0.0.1], ports: [{port: 80}]}]", "MSH4508", "4:82", "no port 81"},
	{"upstream that is headless", "  workloads: [{name: a/x, identity: a/x, intercept: false, upstreams: [{service: a/s, port: 80, bind: 127.0.0.1:80}]}]\n  services: [{name: a/s, headless: true, ports: [{port: 80}]}]", "MSH4516", "4:82", "which endpoint"},
	{"upstream beside interception", "  workloads: [{name: a/x, identity: a/x, upstreams: [{service: a/s, port: 80, bind: 127.0.0.1:80}]}]\n  services: [{name: a/s, vips: [240.0.0.1], ports: [{port: 80}]}]", "MSH4515", "4:85", "intercept: false"},
	{"local ports beside interception", "  workloads: [{name: a/x, identity: a/x, localPorts: {8080: 80}}]", "MSH4515", "4:55", "map the port at the endpoint"},
	{"no interception without a proxy", "  workloads: [{name: a/x, meshed: false, intercept: false}]", "MSH4515", "4:53", "nothing to intercept"},
	{"alias", "  workloads:\n  - &x {name: a/x, identity: a/x}\n  - *x", "MSH4501", "6:5", "write the value out"},
	{"broken YAML", "  services: [", "MSH4501", "", "nothing in the catalog counts"},
}

func TestFaultsAreFoundAtTheirPlace(t *testing.T) {
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			snap, findings := file.Parse("catalog.yaml", []byte(catalogOf(f.spec)))
			if snap != nil {
				t.Fatal("the catalog is served all the same")
			}
			if len(findings) != 1 {
				t.Errorf("one fault, %d findings: %v", len(findings), findings)
			}
			got := findings[0]
			if string(got.Code) != f.code || f.at != "" && got.At().String() != "catalog.yaml:"+f.at {
				t.Errorf("%s at %s: %s; want %s at %s", got.Code, got.At(), got.Message, f.code, f.at)
			}
			if all := got.Message + got.Effect + got.Help; !strings.Contains(all, f.says) {
				t.Errorf("the finding does not say %q: %s / %s / %s", f.says, got.Message, got.Effect, got.Help)
			}
		})
	}
}

func TestWhatIsNoCatalog(t *testing.T) {
	for name, text := range map[string]string{
		"nothing": "", "a comment": "# here\n", "a word": "catalog", "a list": "[]", "binary": "\xff\xfe", "NUL": "\x00",
		"another kind":  "apiVersion: v1\nkind: Service\nspec: {}\n",
		"two documents": catalogOf("  services: []") + "---\n" + catalogOf("  services: []"),
		"no spec":       "apiVersion: meshc.dev/v1alpha1\nkind: Catalog\n",
		"alias root":    "&a [*a]",
	} {
		snap, findings := file.Parse("catalog.yaml", []byte(text))
		if snap != nil || !findings.HasErrors() {
			t.Errorf("%s passes for an empty mesh, which would cut every connection", name)
		}
	}
}

func TestMixedServiceIsAWarning(t *testing.T) {
	snap, findings := file.Parse("catalog.yaml", []byte(catalogOf(`
  workloads: [{name: a/x, identity: a/x, addresses: [10.0.0.1]}]
  services: [{name: a/s, headless: true, ports: [], endpoints: [{workload: a/x}, {address: 10.0.0.2}]}]`)))
	if snap == nil || len(findings) != 1 || findings[0].Code != "MSH4513" || findings[0].Severity != diag.Warning {
		t.Errorf("got %v, snapshot %v", findings, snap)
	}
}

func TestProtocolFollowsThePortName(t *testing.T) {
	for name, want := range map[string]ir.Protocol{"": ir.HTTP, "web": ir.HTTP, "http": ir.HTTP, "http-admin": ir.HTTP, "http2-x": ir.HTTP2, "grpc": ir.GRPC,
		"tcp-server-first-mysql": ir.TCPServerFirst, "tcp-db": ir.TCP, "tcpx": ir.HTTP, "https": ir.TLS, "tls-x": ir.TLS, "udp-dns": ir.UDP} {
		snap := parse(t, catalogOf(fmt.Sprintf("  services: [{name: a/s, headless: true, ports: [{port: 1, name: %q}]}]", name)))
		if got := snap.Services[0].Ports[0].Protocol; got != want {
			t.Errorf("port name %q: %s, want %s", name, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(example(f)))
	for _, x := range faults {
		f.Add([]byte(catalogOf(x.spec)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		snap, findings := file.Parse("catalog.yaml", data)
		if (snap == nil) != findings.HasErrors() {
			t.Fatalf("snapshot %v with findings %v", snap, findings)
		}
		for _, x := range findings {
			if x.At().File == "" {
				t.Fatalf("a finding without a place: %v", x)
			}
		}
		if snap == nil {
			return
		}
		if _, err := file.Marshal(snap); err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
	})
}
