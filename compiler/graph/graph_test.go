package graph_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler/graph"
	"github.com/meshc/meshc/compiler/ir"
)

func id(name string) ir.Identity {
	return ir.Identity("spiffe://cluster.local/ns/" + name + "/sa/" + name)
}

func svc(name string) ir.ServiceID { return ir.ServiceID{Namespace: name, Name: name} }

// chain is a mesh in which each calls the next, and the last the first again; the
// second's calls are split over itself, the third and one that nobody knows.
func chain(names ...string) *ir.Mesh {
	m := &ir.Mesh{Settings: ir.Settings{Name: "chain", TrustDomain: "cluster.local", Mode: ir.Strict}, Origins: map[string]ir.Origin{}}
	for i, n := range names {
		m.Identities = append(m.Identities, id(n))
		m.Services = append(m.Services, ir.Service{ID: svc(n), Accounts: []ir.Identity{id(n)}, Ports: []ir.Port{{Number: 80, Protocol: ir.HTTP}}})
		g := ir.Grant{Name: "TrafficTarget/" + n + "/in#rule0", Sources: []ir.Identity{id(names[(i+len(names)-1)%len(names)])}, Destination: id(n), Ports: []ir.PortID{{Service: svc(n), Port: 80}},
			HTTP: []ir.Match{{Name: "HTTPRouteGroup/" + n + "/r#m", Path: "/" + n, Methods: []string{"GET"}}}}
		m.Grants = append(m.Grants, g)
		m.Origins[g.Name] = ir.Origin{File: "policy.yaml", Line: i + 1}
	}
	m.Splits = []ir.Split{{Name: "TrafficSplit/b/s", Root: svc(names[1]), Backends: []ir.Backend{
		{Service: svc(names[1]), Weight: 1, Ports: []uint16{80}}, {Service: svc(names[2]), Weight: 3, Ports: []uint16{80}}, {Service: svc("nobody"), Missing: true},
	}}}
	return m
}

// Equal meshes are equal documents, in whatever order their parts come.
func TestEqualMeshesAreEqualBytes(t *testing.T) {
	m := chain("a", "b", "c", "d", "e")
	for _, format := range graph.Formats {
		var want bytes.Buffer
		if err := graph.Writers[format](&want, graph.New(m)); err != nil {
			t.Fatal(err)
		}
		for seed := range uint64(10) {
			r := rand.New(rand.NewPCG(seed, 1))
			other := *m
			other.Services, other.Grants, other.Identities = slices.Clone(m.Services), slices.Clone(m.Grants), slices.Clone(m.Identities)
			r.Shuffle(len(other.Services), func(i, j int) { other.Services[i], other.Services[j] = other.Services[j], other.Services[i] })
			r.Shuffle(len(other.Grants), func(i, j int) { other.Grants[i], other.Grants[j] = other.Grants[j], other.Grants[i] })
			r.Shuffle(len(other.Identities), func(i, j int) {
				other.Identities[i], other.Identities[j] = other.Identities[j], other.Identities[i]
			})
			var got bytes.Buffer
			if err := graph.Writers[format](&got, graph.New(&other)); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want.Bytes()) {
				t.Fatalf("%s differs when the mesh is listed in another order", format)
			}
		}
	}
}

func ids(g *graph.Graph) []string {
	var out []string
	for _, n := range g.Nodes {
		out = append(out, n.ID)
	}
	return out
}

// --identity and --depth keep what is that many calls away, both ways; a service's
// account and its split's leaves cost no call.
func TestDepthCountsCalls(t *testing.T) {
	g := graph.New(chain("a", "b", "c", "d", "e", "f", "g", "h"))
	one := ids(g.Only(graph.Filter{Identities: []string{"identity:a/a"}, Depth: 1}))
	// a calls b, whose calls go to c too; h calls a.
	want := []string{"identity:a/a", "identity:b/b", "identity:c/c", "identity:h/h", "service:a/a", "service:b/b", "service:c/c", "service:h/h", "service:nobody/nobody"}
	if !slices.Equal(one, want) {
		t.Errorf("within one call are %v, not %v", one, want)
	}
	if two := ids(g.Only(graph.Filter{Identities: []string{"identity:a/a"}, Depth: 2})); !slices.Contains(two, "service:d/d") || slices.Contains(two, "service:e/e") || !slices.Contains(two, "identity:g/g") {
		t.Errorf("within two calls are %v", two)
	}
	if all := ids(g.Only(graph.Filter{Identities: []string{"identity:a/a"}})); len(all) != len(g.Nodes) {
		t.Errorf("within any number of calls are %v", all)
	}
	part := g.Only(graph.Filter{Namespaces: []string{"d"}})
	if got := ids(part); !slices.Equal(got, []string{"identity:c/c", "identity:d/d", "service:d/d", "service:e/e"}) {
		t.Errorf("of namespace d are %v", got)
	}
	if e := part.Edges; len(e) != 3 {
		t.Errorf("of namespace d are the edges %v", e)
	}
}

// No box lies on another, in small drawings and in folded ones, and every line
// ends at its boxes.
func TestNothingCoversAnything(t *testing.T) {
	for _, n := range []int{3, 12, 60, 300} {
		names := make([]string, n)
		for i := range names {
			names[i] = fmt.Sprintf("team-%03d", i)
		}
		m := chain(names...)
		r := rand.New(rand.NewPCG(uint64(n), 1))
		for i := range m.Grants {
			m.Grants[i].Sources = append(m.Grants[i].Sources, id(names[r.IntN(n)]), id(names[0]))
		}
		d := graph.New(m).Layout()
		for i, a := range d.Boxes {
			if a.X < 0 || a.Y < 0 || a.X+a.W > d.Width || a.Y+a.H > d.Height {
				t.Fatalf("%d services: %s lies outside", n, d.Nodes[i].ID)
			}
			for j, b := range d.Boxes[:i] {
				if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
					t.Fatalf("%d services: %s covers %s", n, d.Nodes[i].ID, d.Nodes[j].ID)
				}
			}
		}
		at := map[string]graph.Box{}
		for i, node := range d.Nodes {
			at[node.ID] = d.Boxes[i]
		}
		touches := func(p graph.Dot, b graph.Box) bool {
			return (p.X == b.X || p.X == b.X+b.W) && p.Y >= b.Y && p.Y <= b.Y+b.H
		}
		for i, e := range d.Edges {
			if l := d.Lines[i]; !touches(l[0], at[e.From]) || !touches(l[len(l)-1], at[e.To]) {
				t.Fatalf("%d services: the line from %s to %s ends elsewhere", n, e.From, e.To)
			}
		}
		if d.Width/d.Height > 40 {
			t.Errorf("%d services are a strip of %.0f by %.0f", n, d.Width, d.Height)
		}
	}
}

// Without cycles everybody stands left of whom they call.
func TestCallersStandLeft(t *testing.T) {
	m := chain("a", "b", "c", "d")
	m.Grants = m.Grants[1:] // d does not call a
	m.Splits = nil
	d := graph.New(m).Layout()
	at := map[string]float64{}
	for i, n := range d.Nodes {
		at[n.ID] = d.Boxes[i].X
	}
	for _, e := range d.Edges {
		if at[e.From] >= at[e.To] {
			t.Errorf("%s stands right of %s", e.From, e.To)
		}
	}
}

const evil = "x\"]; evil [label=\"\\<script>alert(1)</script>&amp;'`|{}\n%%{init}%%\x00\u202e"

func hostile() *ir.Mesh {
	m := chain("a", "b", "c")
	m.Settings.Name = evil
	m.Services[0].ID.Name = evil
	m.Grants[1].HTTP[0].Path = evil
	m.Grants[2].Name = evil
	m.Origins[evil] = ir.Origin{File: evil, Line: 1}
	return m
}

// A hostile name is text in every format, and no more.
func TestHostileNamesAreEscaped(t *testing.T) {
	out := map[string]string{}
	for _, format := range graph.Formats {
		var b bytes.Buffer
		if err := graph.Writers[format](&b, graph.New(hostile())); err != nil {
			t.Fatal(err)
		}
		out[format] = b.String()
		markup := format != "json" && format != "dot"
		if markup && strings.Contains(b.String(), "<script>alert") || format != "json" && strings.ContainsAny(b.String(), "\x00\u202e") {
			t.Errorf("%s holds the name as it came:\n%s", format, b.String())
		}
	}
	scripts, d := 0, xml.NewDecoder(strings.NewReader(out["svg"]))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("the SVG is no XML: %v", err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "script" {
			scripts++
		}
	}
	if scripts > 0 {
		t.Error("the SVG has a script")
	}
	if n := strings.Count(out["html"], "<script"); n != 2 {
		t.Errorf("the page has %d scripts, not its own 2", n)
	}
	lines := strings.Split(strings.TrimSpace(out["dot"]), "\n")
	for _, l := range lines[1 : len(lines)-1] {
		if !strings.HasSuffix(l, ";") {
			t.Errorf("a line of dot is broken: %s", l)
		}
		if quotes := strings.Count(strings.ReplaceAll(strings.ReplaceAll(l, `\\`, ""), `\"`, ""), `"`); quotes%2 != 0 {
			t.Errorf("a quote is open in %s", l)
		}
	}
	for _, l := range strings.Split(strings.TrimSpace(out["mermaid"]), "\n") {
		if strings.Count(l, `"`)%2 != 0 || strings.Contains(l, "%%") || strings.Contains(l, "evil [") {
			t.Errorf("a line of mermaid is broken: %s", l)
		}
	}
	var g graph.Graph
	if err := json.Unmarshal([]byte(out["json"]), &g); err != nil || !slices.ContainsFunc(g.Nodes, func(n graph.Node) bool { return strings.HasPrefix(n.Name, "x\"]; evil") }) {
		t.Errorf("JSON loses the name: %v", err)
	}
}

// A page asks nobody for anything: nothing in it names another place.
func TestThePageIsSelfContained(t *testing.T) {
	var b bytes.Buffer
	if err := graph.HTML(&b, graph.New(chain("a", "b", "c"))); err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(b.String(), `xmlns="http://www.w3.org/2000/svg"`, "")
	for _, door := range []string{"http://", "https://", "src=", "@import", "fetch(", "url(h", "{{"} {
		if strings.Contains(text, door) {
			t.Errorf("the page holds %s", door)
		}
	}
}

// An empty mesh is an empty drawing, not a crash.
func TestAnEmptyMesh(t *testing.T) {
	for _, format := range graph.Formats {
		if err := graph.Writers[format](io.Discard, graph.New(&ir.Mesh{})); err != nil {
			t.Errorf("%s: %v", format, err)
		}
	}
}
