package verdict_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/envoy"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/compiler/verdict"
)

// shop: the buyer may GET /books of v1 and of v2, behind a split of 1 to 2 with
// v3, which it may not call; gone does not exist.
func shop(weights ...uint32) *ir.Mesh {
	id := func(n string) ir.Identity { return ir.NewIdentity("td", "shop", n) }
	sid := func(n string) ir.ServiceID { return ir.ServiceID{Namespace: "shop", Name: n} }
	m := &ir.Mesh{Settings: ir.Settings{Name: "shop", TrustDomain: "td", Mode: ir.Strict}}
	m.Identities = []ir.Identity{id("buyer"), id("v1"), id("v2"), id("v3")}
	m.Roles = []ir.Role{{Identity: id("buyer")}}
	http := []ir.Port{{Number: 80, Protocol: ir.HTTP, TargetPort: 8080}}
	m.Services = []ir.Service{{ID: sid("books"), Ports: http}}
	for _, v := range []string{"v1", "v2", "v3"} {
		at := ir.PortID{Service: sid(v), Port: 80}
		m.Services = append(m.Services, ir.Service{ID: sid(v), Accounts: []ir.Identity{id(v)}, Ports: http})
		m.Roles = append(m.Roles, ir.Role{Identity: id(v), Services: []ir.ServiceID{sid(v)}, Ports: []ir.InboundPort{{TargetPort: 8080, Protocol: ir.HTTP, Services: []ir.PortID{at}}}})
		if v != "v3" {
			m.Grants = append(m.Grants, ir.Grant{Name: "TrafficTarget/shop/" + v + "#rule0", Sources: []ir.Identity{id("buyer")}, Destination: id(v), Ports: []ir.PortID{at}, HTTP: []ir.Match{{Path: "^(?:/books).*$", Methods: []string{"GET"}}}})
		}
	}
	split := ir.Split{Name: "TrafficSplit/shop/books", Root: sid("books")}
	for i, name := range []string{"gone", "v1", "v2", "v3"} {
		split.Backends = append(split.Backends, ir.Backend{Service: sid(name), Weight: weights[i], Ports: []uint16{80}, Missing: name == "gone"})
	}
	m.Splits = []ir.Split{split}
	return m
}

func books(change func(*syntax.VerdictCase)) syntax.VerdictCase {
	c := syntax.VerdictCase{Name: "c", From: "shop/buyer", To: "shop/books:80", Expect: "allow", At: diag.Span{File: "t.yaml", Line: 7, Col: 3},
		HTTP: &syntax.VerdictHTTP{Method: "GET", Path: "/books"}}
	if change != nil {
		change(&c)
	}
	return c
}

func run(t *testing.T, m *ir.Mesh, cases ...syntax.VerdictCase) []verdict.Case {
	t.Helper()
	plan, err := envoy.Lower(m)
	if err != nil {
		t.Fatal(err)
	}
	out, err := verdict.Run([]*syntax.VerdictTable{{Name: "table", Cases: cases}}, m, plan)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestCases(t *testing.T) {
	none, v1, mixed := shop(0, 1, 2, 0), shop(0, 1, 0, 0), shop(0, 1, 2, 1)
	broken := shop(1, 1, 0, 0)
	for _, c := range []struct {
		name   string
		mesh   *ir.Mesh
		change func(*syntax.VerdictCase)
		fault  string // empty: the case holds
	}{
		{"allow", none, nil, ""},
		{"allow, where it is denied", none, func(c *syntax.VerdictCase) { c.HTTP.Method = "POST" }, "expected allow, it is deny: no grant"},
		{"deny", none, func(c *syntax.VerdictCase) { c.HTTP.Method, c.Expect, c.Status = "POST", "deny", 403 }, ""},
		{"deny with another status", none, func(c *syntax.VerdictCase) { c.HTTP.Method, c.Expect, c.Status = "POST", "deny", 400 }, "expected status 400, it is 403"},
		{"a workload's status is known only live", none, func(c *syntax.VerdictCase) { c.Status = 204 }, ""},
		{"shares", none, func(c *syntax.VerdictCase) { c.Split = map[string]int{"v1": 33, "shop/v2": 67} }, ""},
		{"other shares", none, func(c *syntax.VerdictCase) { c.Split = map[string]int{"v1": 50, "v2": 50} }, "expected 50% for v1, it is 33.33%"},
		{"a share nobody named", none, func(c *syntax.VerdictCase) { c.Split = map[string]int{"v1": 33} }, "expected 0% for shop/v2, it is 66.67%"},
		{"mixed", mixed, func(c *syntax.VerdictCase) {
			c.Expect, c.Split = "mixed", map[string]int{"v1": 25, "v2": 50, "denied": 25}
		}, ""},
		{"mixed is not allow", mixed, nil, "expected allow, it is mixed"},
		{"because", v1, func(c *syntax.VerdictCase) { c.Because = []string{"TrafficTarget/shop/v1"} }, ""},
		{"because with its rule", v1, func(c *syntax.VerdictCase) { c.Because = []string{"TrafficTarget/shop/v1#rule0"} }, ""},
		{"because of another rule", v1, func(c *syntax.VerdictCase) { c.Because = []string{"TrafficTarget/shop/v1#rule1"} }, "expected TrafficTarget/shop/v1#rule1 to decide"},
		{"because of a name that begins alike", v1, func(c *syntax.VerdictCase) { c.Because = []string{"TrafficTarget/shop/v"} }, "to decide"},
		{"because must name all", none, func(c *syntax.VerdictCase) { c.Because = []string{"TrafficTarget/shop/v1"} }, "TrafficTarget/shop/v2#rule0 does"},
		{"because names too many", v1, func(c *syntax.VerdictCase) {
			c.Because = []string{"TrafficTarget/shop/v1", "TrafficTarget/shop/v2"}
		}, "expected TrafficTarget/shop/v2 to decide"},
		{"because none", none, func(c *syntax.VerdictCase) { c.HTTP.Path, c.Expect, c.Because = "/x", "deny", []string{"none"} }, ""},
		{"because none, where one does", none, func(c *syntax.VerdictCase) { c.Because = []string{"none"} }, "expected no grant to decide"},
		{"503 fails every expectation", broken, func(c *syntax.VerdictCase) { c.Expect = "mixed" }, "is answered 503"},
		{"503, asked for", broken, func(c *syntax.VerdictCase) { c.Expect, c.Status = "mixed", 503 }, ""},
		{"503, asked for in vain", none, func(c *syntax.VerdictCase) { c.Status = 503 }, "expected status 503, a workload answers"},
		{"a SPIFFE id", none, func(c *syntax.VerdictCase) { c.From = "spiffe://td/ns/shop/sa/buyer" }, ""},
		{"outside", none, func(c *syntax.VerdictCase) { c.From, c.To, c.Expect = "outside", "shop/v1:80", "deny" }, ""},
		{"outside gets no status", none, func(c *syntax.VerdictCase) { c.From, c.To, c.Expect, c.Status = "outside", "shop/v1:80", "deny", 403 }, "closed without an answer"},
		{"egress", none, func(c *syntax.VerdictCase) { c.To, c.Expect = "external:example.org:80", "deny" }, ""},
		{"raw bytes to HTTP", none, func(c *syntax.VerdictCase) { c.HTTP, c.TCP, c.Expect = nil, true, "deny" }, ""},
		{"an unknown service fails every expectation", none, func(c *syntax.VerdictCase) { c.To, c.Expect = "shop/nope:80", "deny" }, "no service shop/nope is known"},
		{"an unknown account fails every expectation", none, func(c *syntax.VerdictCase) { c.From, c.Expect = "shop/nope", "deny" }, "no account shop/nope"},
		{"what cannot be read fails", none, func(c *syntax.VerdictCase) { c.From, c.Expect = "nope", "deny" }, `"nope" is not NAMESPACE/SERVICEACCOUNT`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := run(t, c.mesh, books(c.change))[0]
			var said []string
			for _, f := range got.Faults {
				said = append(said, f.Message)
			}
			if all := strings.Join(said, "\n"); (c.fault == "") != !got.Failed() || !strings.Contains(all, c.fault) {
				t.Errorf("faults are %q, want %q", all, c.fault)
			}
		})
	}
}

// A compiler that does not do what the mesh means is told apart from a mesh that
// does not do what its author means.
func TestDisagreementIsAFailureOfItsOwn(t *testing.T) {
	m := shop(0, 1, 0, 0)
	plan, err := envoy.Lower(m)
	if err != nil {
		t.Fatal(err)
	}
	m.Grants[0].HTTP = nil // the plan was made of another mesh
	out, err := verdict.Run([]*syntax.VerdictTable{{Cases: []syntax.VerdictCase{books(func(c *syntax.VerdictCase) { c.HTTP.Path = "/x" })}}}, m, plan)
	if err != nil {
		t.Fatal(err)
	}
	in := map[verdict.Column]bool{}
	for _, f := range out[0].Faults {
		in[f.In] = true
	}
	if !in[verdict.InAgreement] || !in[verdict.InCompiled] || in[verdict.InMesh] {
		t.Errorf("faults are %+v", out[0].Faults)
	}
}

func TestCheckFindsCasesThatCannotHold(t *testing.T) {
	for want, change := range map[string]func(*syntax.VerdictCase){
		"":                                     nil,
		"MSH0351 not NAMESPACE/SERVICEACCOUNT": func(c *syntax.VerdictCase) { c.From = "buyer" },
		"MSH0351 not NAMESPACE/SERVICE:PORT":   func(c *syntax.VerdictCase) { c.To = "shop/books" },
		"MSH0351 is not external:HOST:PORT":    func(c *syntax.VerdictCase) { c.To = "external:example.org" },
		"MSH0351 written GET":                  func(c *syntax.VerdictCase) { c.HTTP.Method = "get" },
		"MSH0351 none of":                      func(c *syntax.VerdictCase) { c.HTTP.Method = "FETCH" },
		"MSH0351 slash":                        func(c *syntax.VerdictCase) { c.HTTP.Path = "books" },
		"MSH0351 header":                       func(c *syntax.VerdictCase) { c.HTTP.Headers = []syntax.Header{{Name: "a:b"}} },
		"MSH0352 neither":                      func(c *syntax.VerdictCase) { c.HTTP = nil },
		"MSH0352 no status":                    func(c *syntax.VerdictCase) { c.HTTP, c.TCP, c.Status = nil, true, 200 },
		"MSH0352 no deciding":                  func(c *syntax.VerdictCase) { c.Expect, c.Because = "deny", []string{"TrafficTarget/a/b"} },
		"MSH0352 beside":                       func(c *syntax.VerdictCase) { c.Because = []string{"none", "TrafficTarget/a/b"} },
		"MSH0352 add up to 90%":                func(c *syntax.VerdictCase) { c.Split = map[string]int{"v1": 90} },
		"MSH0352 denied share":                 func(c *syntax.VerdictCase) { c.Split = map[string]int{"v1": 50, "denied": 50} },
	} {
		c := books(change)
		found := verdict.Check([]*syntax.VerdictTable{{Name: "t", Cases: []syntax.VerdictCase{c}}}, "td")
		code, words, _ := strings.Cut(want, " ")
		switch {
		case want == "" && len(found) == 0:
		case len(found) != 1 || string(found[0].Code) != code || !strings.Contains(found[0].Message, words):
			t.Errorf("%q: found %+v", want, found)
		case found[0].At().Line == 0:
			t.Errorf("%q has no position", want)
		}
	}
	twice := verdict.Check([]*syntax.VerdictTable{{Cases: []syntax.VerdictCase{books(nil), books(nil)}}}, "td")
	if len(twice) != 1 || twice[0].Code != "MSH0353" {
		t.Errorf("two cases of one name: %+v", twice)
	}
}

func TestTextTellsWhatAndWhere(t *testing.T) {
	cases := run(t, shop(0, 1, 0, 0), books(nil), books(func(c *syntax.VerdictCase) { c.Name, c.HTTP.Path = "fails", "/x" }))
	var out bytes.Buffer
	if err := verdict.Text(&out, cases, false); err != nil {
		t.Fatal(err)
	}
	want := `--- FAIL: table/fails (t.yaml:7:3)
    shop/buyer to shop/books:80 GET /x
    expected allow, it is deny: no grant lets shop/buyer send GET /x to shop/v1:80: TrafficTarget/shop/v1#rule0 allows GET /books, but path /x does not match /books
FAIL  table	1 of 2 cases
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestJSONHoldsEveryColumn(t *testing.T) {
	cases := run(t, shop(0, 1, 0, 0), books(nil))
	cases[0].SetLive(verdict.Live{Outcome: ir.Deny, Requests: 1, Statuses: []int{403}}, "expected allow, the Envoys say deny")
	var out bytes.Buffer
	if err := verdict.JSON(&out, cases); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Total, Failed int
		Cases         []struct {
			Passed        bool
			Mesh          struct{ Outcome string }
			Configuration struct{ By []string }
			Envoys        struct{ Statuses []int }
			Faults        []struct{ In, Message string }
		}
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	c := got.Cases[0]
	if got.Total != 1 || got.Failed != 1 || c.Passed || c.Mesh.Outcome != "allow" || len(c.Configuration.By) != 1 || c.Envoys.Statuses[0] != 403 || c.Faults[0].In != "envoys" {
		t.Errorf("got %+v", got)
	}
}

func TestMatrix(t *testing.T) {
	m := shop(0, 1, 0, 1)
	tables := []*syntax.VerdictTable{{Cases: []syntax.VerdictCase{books(nil), books(func(c *syntax.VerdictCase) { c.HTTP.Path = "/x" })}}}
	matrix, err := verdict.NewMatrix(m, tables, func(r ir.Request) (ir.Outcome, error) { return ir.Decide(m, r).Outcome, nil })
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := matrix.Write(&out, nil); err != nil {
		t.Fatal(err)
	}
	want := `who may call  shop/books:80    shop/v1:80  shop/v2:80  shop/v3:80
shop/buyer    mixed 1, deny 1  deny        deny        deny
shop/v1       deny             deny        deny        deny
shop/v2       deny             deny        deny        deny
shop/v3       deny             deny        deny        deny
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}
