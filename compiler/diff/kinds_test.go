package diff

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/meshc/meshc/compiler/ir"
)

func account(short string) ir.Identity {
	ns, sa, _ := strings.Cut(short, "/")
	return ir.NewIdentity("td", ns, sa)
}

// town has a shop that a buyer may GET, and a database behind the shop.
func town() *ir.Mesh {
	shop, db := ir.ServiceID{Namespace: "shop", Name: "web"}, ir.ServiceID{Namespace: "shop", Name: "db"}
	return &ir.Mesh{
		Settings: ir.Settings{Name: "town", TrustDomain: "td", Mode: ir.Strict, TCPDrain: 10 * time.Second},
		Services: []ir.Service{
			{ID: db, Accounts: []ir.Identity{account("shop/db")}, Ports: []ir.Port{{Number: 3306, Protocol: ir.TCP, TargetPort: 3306}}},
			{ID: shop, Accounts: []ir.Identity{account("shop/web")}, Ports: []ir.Port{{Number: 80, Protocol: ir.HTTP, TargetPort: 8080}}},
		},
		Roles: []ir.Role{{Identity: account("shop/db"), Services: []ir.ServiceID{db}}, {Identity: account("shop/web"), Services: []ir.ServiceID{shop}}},
		Grants: []ir.Grant{
			{Name: "TrafficTarget/shop/buyers#rule0", Sources: []ir.Identity{account("buy/er")}, Destination: account("shop/web"), Ports: []ir.PortID{{Service: shop, Port: 80}},
				HTTP: []ir.Match{{Name: "HTTPRouteGroup/shop/r#get", Path: "(?:/books).*", Methods: []string{"GET"}}}},
			{Name: "TrafficTarget/shop/db#rule0", Sources: []ir.Identity{account("shop/web")}, Destination: account("shop/db"), Ports: []ir.PortID{{Service: db, Port: 3306}}},
		},
	}
}

func TestChangesAreTold(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(m *ir.Mesh)
		want   []string // "EFFECT TEXT", in order
	}{
		{"a method more", func(m *ir.Mesh) { m.Grants[0].HTTP[0].Methods = []string{"GET", "POST"} },
			[]string{"widened buy/er can now POST /books.* on shop/web:80"}},
		{"a longer path", func(m *ir.Mesh) { m.Grants[0].HTTP[0].Path = "(?:/books/).*" },
			[]string{"narrowed buy/er can no longer GET all of /books.* on shop/web:80"}},
		{"other paths", func(m *ir.Mesh) { m.Grants[0].HTTP[0].Path = "(?:/cds).*" },
			[]string{"both buy/er can now GET /cds.* on shop/web:80; buy/er can no longer GET /books.* on shop/web:80"}},
		{"a source more on TCP", func(m *ir.Mesh) { m.Grants[1].Sources = []ir.Identity{account("buy/er"), account("shop/web")} },
			[]string{"widened buy/er can now send anything to shop/db:3306"}},
		{"another name", func(m *ir.Mesh) {
			m.Grants[0].Name, m.Grants[0].HTTP[0].Name = "TrafficTarget/shop/x#rule1", "HTTPRouteGroup/shop/y#z"
		}, nil},
		{"the same path, written otherwise", func(m *ir.Mesh) { m.Grants[0].HTTP[0].Path = "/book(?:s|s.+)" }, nil},
		{"an account behind a service", func(m *ir.Mesh) { m.Services[1].Accounts = []ir.Identity{account("shop/db"), account("shop/web")} },
			[]string{"widened workloads behind shop/web now run as shop/db too"}},
		{"an account that calls, behind a service", func(m *ir.Mesh) { m.Services[0].Accounts = []ir.Identity{account("shop/db"), account("shop/web")} },
			[]string{"widened workloads behind shop/db now run as shop/web too"}},
		{"a workload of an account that had grants", func(m *ir.Mesh) { m.Roles = append([]ir.Role{{Identity: account("buy/er")}}, m.Roles...) },
			[]string{"widened a workload begins to run as buy/er"}},
		{"audit is open", func(m *ir.Mesh) { m.Namespaces = []ir.Namespace{{Name: "shop", Mode: ir.Audit}} },
			[]string{"widened the mode of namespace shop changes from strict to audit"}},
		{"plaintext", func(m *ir.Mesh) { m.Services[1].Ports[0].Plaintext = true },
			[]string{"widened " + Outsider + " can now call shop/web:80"}},
		{"plaintext of a namespace", func(m *ir.Mesh) {
			m.Namespaces = []ir.Namespace{{Name: "shop", Mode: ir.Strict, PlaintextAllowed: true}}
		},
			[]string{"widened " + Outsider + " can now reach the services of namespace shop"}},
		{"egress", func(m *ir.Mesh) { m.Settings.EgressAllowed = true },
			[]string{"widened workloads of the mesh can now call addresses outside the mesh"}},
		{"a range", func(m *ir.Mesh) { m.Settings.PodRanges = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} },
			[]string{"narrowed ranges now holds 10.0.0.0/8"}},
		{"HTTP to TCP", func(m *ir.Mesh) { m.Services[1].Ports[0].Protocol = ir.TCP },
			[]string{"narrowed buy/er can no longer GET /books.* on shop/web:80", "widened port shop/web:80 is carried as tcp, was http"}},
		{"gRPC is HTTP", func(m *ir.Mesh) { m.Services[1].Ports[0].Protocol = ir.GRPC },
			[]string{"changed port shop/web:80 is carried as grpc, was http"}},
		{"out of the mesh", func(m *ir.Mesh) { m.Services[0].Outside, m.Services[0].Accounts = true, nil },
			[]string{"narrowed shop/web can no longer send anything to shop/db:3306", "widened no workload behind shop/db is meshed any more"}},
		{"a stream's bound", func(m *ir.Mesh) { m.Settings.MaxStreamDuration = time.Hour },
			[]string{"changed maxStreamDuration changes from 0s to 1h0m0s"}},
		{"another trust domain", func(m *ir.Mesh) { *m = *moved(m, "other") },
			[]string{"both trustDomain changes from td to other"}},
	} {
		old, new := town(), town()
		c.change(new)
		var got []string
		for _, change := range Meshes(old, new) {
			got = append(got, string(change.Effect)+" "+change.Text)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got\n%s\nwant\n%s", c.name, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
		back := Meshes(new, old)
		if Meshes(old, new).Widens() && len(back) > 0 && !back.Narrows() {
			t.Errorf("%s: it widens, and the way back does not narrow: %s", c.name, back[0].Text)
		}
	}
}

func TestNarrowingSaysWhatBecomesOfWhatIsOpen(t *testing.T) {
	new := town()
	new.Grants = nil
	var notes []string
	for _, c := range Meshes(town(), new) {
		notes = append(notes, c.Note)
	}
	if got := strings.Join(notes, "\n"); !strings.Contains(got, "maxStreamDuration sets no bound") || !strings.Contains(got, "closed within 10s") {
		t.Error(got)
	}
}

func TestOtherSharesAreNoWidening(t *testing.T) {
	split := func(m *ir.Mesh, weights ...uint32) *ir.Mesh {
		sp := ir.Split{Name: "TrafficSplit/shop/s", Root: ir.ServiceID{Namespace: "shop", Name: "web"}}
		for i, w := range weights {
			id := ir.ServiceID{Namespace: "shop", Name: fmt.Sprintf("web-v%d", i)}
			m.Services = append(m.Services, ir.Service{ID: id, Accounts: []ir.Identity{account("shop/web")}, Ports: m.Services[1].Ports})
			m.Grants[0].Ports = append(m.Grants[0].Ports, ir.PortID{Service: id, Port: 80})
			sp.Backends = append(sp.Backends, ir.Backend{Service: id, Weight: w, Ports: []uint16{80}})
		}
		m.Splits = []ir.Split{sp}
		return m
	}
	got := Meshes(split(town(), 90, 10), split(town(), 50, 50))
	if len(got) != 1 || got[0].Kind != Split || got[0].Effect != Changed || !strings.Contains(got[0].Text, "50% to web-v0, 50% to web-v1, was 90% to web-v0, 10% to web-v1") {
		t.Errorf("%+v", got)
	}
	if got := Meshes(split(town(), 9, 1), split(town(), 90, 10)); len(got) != 0 {
		t.Errorf("only ratios matter: %s", got[0].Text)
	}
}

func TestRulesThatJudgeLess(t *testing.T) {
	one := func(name, value string) map[string]Written { return map[string]Written{name: {Value: value}} }
	usual := func(code string) []string {
		return map[string][]string{"MSH1503": {"warning", "warning", "warning"}, "MSH1504": {"info", "error", "error"}}[code]
	}
	said := Judging{Severities: one("MSH1503", "warning")}
	if got := Rules(Judging{}, said, usual); len(got) != 0 {
		t.Errorf("a severity that the rule has of its own is a change: %+v", got)
	}
	if got := Rules(said, Judging{}, usual); len(got) != 0 {
		t.Errorf("a severity that the rule has of its own is a change when it is gone: %+v", got)
	}
	for _, c := range []struct {
		name     string
		old, new Judging
		want     Effect
	}{
		{"a severity that is lowered", Judging{Severities: one("A1", "error")}, Judging{Severities: one("A1", "info")}, Widened},
		{"a severity that is raised", Judging{Severities: one("A1", "info")}, Judging{Severities: one("A1", "error")}, Narrowed},
		{"a rule known here that is lowered", Judging{}, Judging{Severities: one("MSH1503", "info")}, Widened},
		{"a rule known here that is raised", Judging{}, Judging{Severities: one("MSH1503", "error")}, Narrowed},
		{"a rule known here that was lowered", Judging{Severities: one("MSH1503", "off")}, Judging{}, Narrowed},
		{"a rule known here that was raised", Judging{Severities: one("MSH1503", "error")}, Judging{}, Widened},
		{"one that weighs more in a build alone", Judging{}, Judging{Severities: one("MSH1504", "warning")}, Both},
		{"one that was off and follows its rule", Judging{Severities: one("A1", "off")}, Judging{}, Changed},
		{"a rule file that is gone", Judging{Files: one("a.rego", "1")}, Judging{}, Widened},
		{"a rule file that differs", Judging{Files: one("a.rego", "1")}, Judging{Files: one("a.rego", "2")}, Unknown},
		{"a rule file that is new", Judging{}, Judging{Files: one("a.rego", "1")}, Changed},
		{"a waiver that is added", Judging{}, Judging{Waivers: one("MSH1017", "")}, Widened},
		{"a waiver that is gone", Judging{Waivers: one("MSH1017", "")}, Judging{}, Narrowed},
		{"a parameter", Judging{Params: one("p", "1")}, Judging{Params: one("p", "2")}, Unknown},
	} {
		if got := Rules(c.old, c.new, usual); len(got) != 1 || got[0].Effect != c.want || got[0].Kind != Rule {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}
