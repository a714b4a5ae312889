package diff

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler/ir"
)

// dice makes small meshes, changes of them, and requests, with few names so that
// they meet often.
type dice struct{ *rand.Rand }

func (d dice) chance(percent int) bool { return d.IntN(100) < percent }

func pick[T any](d dice, from []T) T { return from[d.IntN(len(from))] }

var (
	somePaths   = []string{"", "^(?:/a).*$", "/a/b", "(?:/[0-9]+).*", "(?:/admin).*", `/a\.b`, "/a.b", "(?:/(?:a|admin)).*", "/a(?:/b)?"}
	someMethods = []string{"GET", "POST", "PUT"}
	someHeaders = []ir.HeaderMatch{{Name: "x-user", Regex: "^admin$"}, {Name: "x-user", Regex: "adm"}, {Name: "x-user", Regex: "admin", Full: true}, {Name: ":authority", Regex: "s1"}, {Name: "y", Regex: ""}, {Name: "x-envoy-y", Regex: "1"}, {Name: "x-request-id", Regex: "1"}}
	someLines   = []ir.Header{{Name: "X-User", Value: "admin"}, {Name: "x-user", Value: "badmin"}, {Name: "x-user", Value: "user"}, {Name: "Host", Value: "s1.a"}, {Name: "y", Value: ""}, {Name: "X-Envoy-Y", Value: "1"}}
	asked       = []string{"/", "/a", "/a/b", "/a/../admin", "/a.b", "/axb", "/17?x=/a", "/admin/x"}
	someModes   = []ir.Mode{ir.Strict, ir.Strict, ir.Strict, ir.Permissive, ir.Audit}
)

func (d dice) mesh() *ir.Mesh {
	m := &ir.Mesh{Settings: ir.Settings{Name: "m", TrustDomain: "td", Mode: pick(d, someModes), EgressAllowed: d.chance(20), PlaintextAllowed: d.chance(5)}}
	for _, ns := range []string{"a", "b"} {
		if d.chance(40) {
			m.Namespaces = append(m.Namespaces, ir.Namespace{Name: ns, Mode: pick(d, someModes), PlaintextAllowed: d.chance(10), EgressAllowed: d.chance(20)})
		}
		for i := range 3 {
			m.Identities = append(m.Identities, ir.NewIdentity("td", ns, fmt.Sprintf("acc%d", i)))
		}
		for i := range 3 {
			m.Services = append(m.Services, d.service(m, ir.ServiceID{Namespace: ns, Name: fmt.Sprintf("s%d", i)}))
		}
	}
	for i := range 2 + d.IntN(5) {
		m.Grants = append(m.Grants, d.grant(m, i))
	}
	for i := range d.IntN(3) {
		m.Splits = append(m.Splits, d.split(m, i))
	}
	return m
}

func (d dice) service(m *ir.Mesh, id ir.ServiceID) ir.Service {
	s := ir.Service{ID: id, Outside: d.chance(8)}
	for _, a := range m.Identities {
		if _, ns, _, _ := a.Split(); ns == id.Namespace && d.chance(40) && !s.Outside {
			s.Accounts = append(s.Accounts, a)
		}
	}
	for p, protocol := range []ir.Protocol{ir.HTTP, ir.TCP} {
		if d.chance(10) {
			protocol = pick(d, []ir.Protocol{ir.HTTP, ir.TCP, ir.UDP})
		}
		s.Ports = append(s.Ports, ir.Port{Number: uint16(80 + p), Protocol: protocol, Plaintext: d.chance(5), TargetPort: uint16(8080 + p)})
	}
	return s
}

func (d dice) grant(m *ir.Mesh, i int) ir.Grant {
	s := pick(d, m.Services)
	g := ir.Grant{Name: fmt.Sprintf("TrafficTarget/x/t%d#rule0", i), Destination: pick(d, m.Identities)}
	if len(s.Accounts) > 0 {
		g.Destination = pick(d, s.Accounts)
	}
	for range 1 + d.IntN(3) {
		g.Sources = append(g.Sources, pick(d, m.Identities))
	}
	slices.Sort(g.Sources)
	g.Sources = slices.Compact(g.Sources)
	for _, s := range m.Services {
		for _, p := range s.Ports {
			if slices.Contains(s.Accounts, g.Destination) && d.chance(60) {
				g.Ports = append(g.Ports, ir.PortID{Service: s.ID, Port: p.Number})
			}
		}
	}
	if d.chance(70) {
		g.HTTP = d.matches()
	}
	return g
}

func (d dice) matches() []ir.Match {
	var out []ir.Match
	for i := range 1 + d.IntN(3) {
		match := ir.Match{Name: fmt.Sprintf("HTTPRouteGroup/x/g#m%d", i), Path: pick(d, somePaths)}
		if d.chance(60) {
			match.Methods = []string{pick(d, someMethods), pick(d, someMethods)}
			slices.Sort(match.Methods)
		}
		for range d.IntN(3) {
			if d.chance(40) {
				match.Headers = append(match.Headers, pick(d, someHeaders))
			}
		}
		out = append(out, match)
	}
	return out
}

func (d dice) split(m *ir.Mesh, i int) ir.Split {
	root := pick(d, m.Services)
	sp := ir.Split{Name: fmt.Sprintf("TrafficSplit/x/s%d", i), Root: root.ID}
	if d.chance(40) {
		sp.Matches = d.matches()
	}
	for _, s := range m.Services {
		if s.ID.Namespace == root.ID.Namespace && d.chance(60) {
			sp.Backends = append(sp.Backends, ir.Backend{Service: s.ID, Weight: uint32(d.IntN(3)), Ports: []uint16{80, 81}})
		}
	}
	if d.chance(20) {
		sp.Backends = append(sp.Backends, ir.Backend{Service: ir.ServiceID{Namespace: root.ID.Namespace, Name: "zz"}, Weight: 1, Missing: true})
	}
	return sp
}

// changed is a copy of a mesh with something altered in one or two places.
func (d dice) changed(m *ir.Mesh) *ir.Mesh {
	out := clone(m)
	for range 1 + d.IntN(2) {
		d.alter(out)
	}
	return out
}

func clone(m *ir.Mesh) *ir.Mesh {
	data, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	out := &ir.Mesh{}
	if err := json.Unmarshal(data, out); err != nil {
		panic(err)
	}
	return out
}

func (d dice) alter(m *ir.Mesh) {
	other := d.mesh()
	i, s := d.IntN(len(m.Grants)+1), d.IntN(len(m.Services))
	switch d.IntN(12) {
	case 0, 1, 2:
		if i < len(m.Grants) {
			m.Grants[i] = d.grant(m, i)
		}
	case 3, 4:
		if i < len(m.Grants) && len(m.Grants[i].HTTP) > 0 {
			m.Grants[i].HTTP = d.matches()
		}
	case 5:
		m.Grants = append(m.Grants, d.grant(m, len(m.Grants)))
	case 6:
		m.Splits = other.Splits
	case 7:
		m.Services[s] = d.service(m, m.Services[s].ID)
	case 8:
		m.Namespaces = other.Namespaces
	case 9:
		m.Settings = other.Settings
	case 10:
		if i < len(m.Grants) {
			m.Grants = slices.Delete(m.Grants, i, i+1)
		}
	case 11:
		if len(m.Splits) > 0 {
			m.Splits[0] = d.split(m, 0)
		}
	}
}

func (d dice) request(m *ir.Mesh) ir.Request {
	r := ir.Request{}
	if d.chance(90) {
		r.From = pick(d, m.Identities)
	}
	if d.chance(70) {
		r.HTTP = &ir.HTTPRequest{Method: pick(d, append(slices.Clone(someMethods), "HEAD")), Path: pick(d, asked)}
		for range d.IntN(3) {
			r.HTTP.Headers = append(r.HTTP.Headers, pick(d, someLines))
		}
	}
	if d.chance(5) {
		r.External = "example.org:80"
		return r
	}
	s := pick(d, m.Services)
	r.To = ir.PortID{Service: s.ID, Port: pick(d, s.Ports).Number}
	if len(m.Grants) > 0 && d.chance(60) {
		if g := pick(d, m.Grants); len(g.Ports) > 0 {
			r.From, r.To = pick(d, g.Sources), pick(d, g.Ports)
		}
	}
	r.Direct = r.From != "" && d.chance(20)
	return r
}

// covers tells whether a change speaks of a request: of its source or of all,
// and of the service that is called or of one that a split leads to.
func covers(c Change, m *ir.Mesh, r ir.Request) bool {
	if c.Source != "" && c.Source != r.From.Short() && c.Source != Everyone && (c.Source != Outsider || r.From != "") {
		return false
	}
	if r.External != "" {
		return c.Kind == Egress
	}
	services := []ir.ServiceID{r.To.Service}
	for _, sp := range m.Splits {
		if sp.Root == r.To.Service {
			for _, b := range sp.Backends {
				services = append(services, b.Service)
			}
		}
	}
	if len(c.Ports)+len(c.Services) == 0 {
		_, from, _, _ := r.From.Split()
		return c.Namespace == "" || c.Namespace == r.To.Service.Namespace || c.Kind == Egress && c.Namespace == from
	}
	return slices.ContainsFunc(services, func(s ir.ServiceID) bool {
		return slices.Contains(c.Services, s) || slices.ContainsFunc(c.Ports, func(p ir.PortID) bool { return p.Service == s })
	})
}

func passes(v ir.Verdict) bool { return v.Outcome == ir.Allow || v.Outcome == ir.Mixed }

// What the new mesh lets through and the old one refused is covered by a change
// that widens; what it refuses and the old one let through whole, by one that
// narrows.
func TestNothingIsNewlyAllowedWithoutAWidening(t *testing.T) {
	rounds := 400
	if testing.Short() {
		rounds = 300
	}
	newly, gone, quiet := 0, 0, 0
	for seed := range rounds {
		d := dice{rand.New(rand.NewPCG(uint64(seed), 3))}
		old := d.mesh()
		new := d.changed(old)
		changes := Meshes(old, new)
		if !changes.Widens() {
			quiet++
		}
		for range 100 {
			r := d.request(pick(d, []*ir.Mesh{old, new}))
			before, after := ir.Decide(old, r), ir.Decide(new, r)
			switch {
			case before.Outcome == ir.Deny && passes(after):
				newly++
				expectCovered(t, seed, "newly allowed", changes, Effect.Widens, new, r)
			case before.Outcome == ir.Allow && after.Outcome == ir.Deny && after.Status != ir.StatusUnavailable:
				gone++
				expectCovered(t, seed, "newly refused", changes, Effect.Narrows, old, r)
			}
			if t.Failed() {
				t.Fatalf("from %s to %s: %s\nbefore: %s %s\nafter: %s %s\nold %s\nnew %s", r.From, r.To, r, before.Outcome, before.Reason, after.Outcome, after.Reason, dump(old), dump(new))
			}
		}
	}
	if newly < rounds || gone < rounds || quiet < rounds/10 {
		t.Errorf("%d requests newly allowed, %d newly refused, %d pairs without a widening: the test asks too little", newly, gone, quiet)
	}
}

func dump(m *ir.Mesh) string {
	data, _ := json.MarshalIndent(m, "", " ")
	return string(data)
}

func expectCovered(t *testing.T, seed int, what string, changes Changes, which func(Effect) bool, m *ir.Mesh, r ir.Request) {
	t.Helper()
	if !slices.ContainsFunc(changes, func(c Change) bool { return which(c.Effect) && covers(c, m, r) }) {
		var told []string
		for _, c := range changes {
			told = append(told, string(c.Effect)+" "+c.Text)
		}
		t.Errorf("seed %d: a request is %s, and no change says so; changes:\n%s", seed, what, strings.Join(told, "\n"))
	}
}

func TestAMeshDoesNotDifferFromItself(t *testing.T) {
	for seed := range 200 {
		d := dice{rand.New(rand.NewPCG(uint64(seed), 4))}
		m := d.mesh()
		if got := Meshes(m, clone(m)); len(got) != 0 {
			t.Fatalf("seed %d: %s", seed, got[0].Text)
		}
	}
}
