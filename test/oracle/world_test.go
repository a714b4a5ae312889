package oracle

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
)

// dice are throws from a seed.
type dice struct{ *rand.Rand }

func newDice(seed, stream uint64) dice { return dice{rand.New(rand.NewPCG(seed, stream))} }

func (d dice) chance(percent int) bool { return d.IntN(100) < percent }

func pick[T any](d dice, from ...T) T { return from[d.IntN(len(from))] }

// world is a mesh as manifests say it, in parts that can be taken away one by one.
// It has few names, so that grants, splits and requests meet often.
type world struct {
	Mode, Egress, Plaintext string
	Spaces                  []space
	Services                []service
	Targets                 []target
	Splits                  []split
}

// space is a namespace with settings of its own.
type space struct{ Name, Mode, Egress, Plaintext string }

// service is a Service with the one Deployment or StatefulSet behind it.
type service struct {
	Namespace, Name, Account string
	Headless, Outside, Empty bool
	Ports                    []port
}

type port struct {
	Number, Target int
	Protocol       string // as the port's name begins
	Plaintext      bool
}

// target is a TrafficTarget with the route group and TCP route that only it uses.
type target struct {
	Namespace, Name, Account string
	Sources                  []account
	Matches                  []match // nil: no HTTPRouteGroup
	TCP                      bool
	Ports                    []int // of TCP; empty: all
}

type account struct{ Namespace, Name string }

type match struct {
	Path    string
	Methods []string
	Headers []ir.Header // name, expression
}

type split struct {
	Namespace, Name, Root string
	Backends              []backend
	Matches               []match
}

type backend struct {
	Name   string
	Weight int
}

// The accounts that only call.
var callers = []account{{"a", "buyer"}, {"b", "buyer"}, {"a", "thief"}}

var namespaces = []string{"a", "b"}

// The words that meshes and requests are made of, so that they meet.
var (
	pathExpressions   = []string{"", "/a", "/a/b$", "/[0-9]+", "/admin", `/a\.b`, "/a/.*", "/(a|c)/d", "/A"}
	methodNames       = []string{"GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE"}
	headerExpressions = []ir.Header{
		{Name: "x-user", Value: "^admin$"}, {Name: "x-user", Value: "adm"}, {Name: "x-user", Value: "^$"},
		{Name: "host", Value: `^s[0-9]\.`}, {Name: "host", Value: "example"}, {Name: "flag", Value: ".*"}, {Name: "x-envoy-y", Value: "1"},
		{Name: "x-forwarded-for", Value: "10"}, {Name: "x-forwarded-client-cert", Value: "spiffe"}, {Name: "cookie", Value: "admin"},
		{Name: "content-type", Value: "json"}, {Name: "user-agent", Value: "curl"},
		{Name: "x-request-id", Value: "."}, {Name: "x-forwarded-proto", Value: "http"}, {Name: "connection", Value: ""}, {Name: "te", Value: "trailers"}, {Name: "transfer-encoding", Value: "chunked"},
	}
)

func newWorld(seed uint64) *world {
	d := newDice(seed, 1)
	w := &world{
		Mode: pick(d, "strict", "strict", "strict", "permissive", "audit"), Egress: pick(d, "deny", "deny", "allow"), Plaintext: pick(d, "deny", "deny", "deny", "allow"),
	}
	for _, ns := range namespaces {
		if d.chance(50) {
			w.Spaces = append(w.Spaces, space{ns, pick(d, "strict", "strict", "permissive", "audit"), pick(d, "deny", "allow"), pick(d, "deny", "deny", "allow")})
		}
		for i := range 2 + d.IntN(2) {
			w.Services = append(w.Services, d.service(ns, i))
		}
	}
	for i := range 4 + d.IntN(6) {
		w.Targets = append(w.Targets, d.target(w, i))
	}
	for _, ns := range namespaces {
		if d.chance(60) {
			w.split(d, ns)
		}
	}
	return w
}

func (d dice) service(ns string, i int) service {
	s := service{Namespace: ns, Name: fmt.Sprintf("s%d", i), Account: fmt.Sprintf("acc%d", d.IntN(3)), Headless: d.chance(12), Outside: d.chance(8), Empty: d.chance(5)}
	// The number decides the protocol, so that splits meet like protocols.
	s.Ports = []port{{80, 8080, "http", d.chance(8)}}
	// A headless service without workloads has no address: nobody can dial it.
	s.Empty = s.Empty && !s.Headless
	if !s.Headless && d.chance(25) {
		s.Ports = append(s.Ports, port{8000, 8080, "http", false}) // shares a target port
	}
	if d.chance(40) {
		s.Ports = append(s.Ports, port{81, 8081, "grpc", d.chance(8)})
	}
	if d.chance(40) {
		s.Ports = append(s.Ports, port{90, 9090, "tcp", d.chance(8)})
	}
	if d.chance(30) {
		s.Ports = append(s.Ports, port{91, 9091, "tcp-server-first", d.chance(8)})
	}
	return s
}

func (d dice) target(w *world, i int) target {
	to := pick(d, w.Services...)
	t := target{Namespace: to.Namespace, Name: fmt.Sprintf("t%d", i), Account: to.Account}
	for _, s := range w.accounts() {
		if d.chance(45) {
			t.Sources = append(t.Sources, s)
		}
	}
	if len(t.Sources) == 0 {
		t.Sources = callers[:1]
	}
	if d.chance(75) {
		t.Matches = d.matches()
	}
	if t.Matches == nil || d.chance(30) {
		t.TCP = true
		for _, p := range to.Ports {
			if d.chance(60) {
				t.Ports = append(t.Ports, p.Number)
			}
		}
	}
	return t
}

func (d dice) matches() []match {
	var out []match
	for range 1 + d.IntN(3) {
		m := match{Path: pick(d, pathExpressions...)}
		if d.chance(60) {
			m.Methods = []string{pick(d, methodNames...), pick(d, methodNames...)}
			slices.Sort(m.Methods)
			m.Methods = slices.Compact(m.Methods)
		}
		if d.chance(35) {
			m.Headers = []ir.Header{pick(d, headerExpressions...)}
		}
		out = append(out, m)
	}
	return out
}

func (w *world) split(d dice, ns string) {
	var own []service
	for _, s := range w.Services {
		if s.Namespace == ns {
			own = append(own, s)
		}
	}
	sp := split{Namespace: ns, Name: "split", Root: own[0].Name}
	if d.chance(40) {
		sp.Matches = d.matches()
	}
	for i, s := range own[1:] {
		sp.Backends = append(sp.Backends, backend{s.Name, max(d.IntN(4), 1-i)})
	}
	w.Splits = append(w.Splits, sp)
}

// accounts are all who may call.
func (w *world) accounts() []account {
	out := slices.Clone(callers)
	for _, s := range w.Services {
		out = append(out, account{s.Namespace, s.Account})
	}
	slices.SortFunc(out, func(a, b account) int { return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name) })
	return slices.Compact(out)
}

// tree is the world's manifests.
func (w *world) tree() *source.Tree {
	files := map[string][]byte{}
	for name, text := range w.files() {
		files[name] = []byte(text)
	}
	return source.FromMap(files)
}
