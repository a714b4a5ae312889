//go:build browser

package browser

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler/graph"
	"github.com/meshc/meshc/compiler/ir"
)

// town is a mesh of n services in ten namespaces: each calls three others, and
// all call the first.
func town(n int) *ir.Mesh {
	m := &ir.Mesh{Settings: ir.Settings{Name: "town", TrustDomain: "cluster.local", Mode: ir.Strict}, Origins: map[string]ir.Origin{}}
	name := func(i int) (string, string) { return fmt.Sprintf("team-%d", i%10), fmt.Sprintf("service-%03d", i) }
	id := func(i int) ir.Identity {
		ns, s := name(i)
		return ir.Identity("spiffe://cluster.local/ns/" + ns + "/sa/" + s)
	}
	for i := range n {
		ns, s := name(i)
		m.Identities = append(m.Identities, id(i))
		m.Services = append(m.Services, ir.Service{ID: ir.ServiceID{Namespace: ns, Name: s}, Accounts: []ir.Identity{id(i)}, Ports: []ir.Port{{Number: 80, Protocol: ir.HTTP}}})
		g := ir.Grant{Name: fmt.Sprintf("TrafficTarget/%s/to-%s#rule0", ns, s), Destination: id(i), Ports: []ir.PortID{{Service: ir.ServiceID{Namespace: ns, Name: s}, Port: 80}},
			HTTP: []ir.Match{{Name: "HTTPRouteGroup/" + ns + "/r#m", Methods: []string{"GET"}, Path: "/things"}}}
		for k := 1; k <= 3; k++ {
			if caller := i/2 - k; caller >= 0 {
				g.Sources = append(g.Sources, id(caller))
			}
		}
		if i == 0 {
			for caller := 1; caller < n; caller++ {
				g.Sources = append(g.Sources, id(caller))
			}
		}
		m.Grants = append(m.Grants, g)
	}
	return m
}

func open(t *testing.T, b *Browser, m *ir.Mesh) *Page {
	t.Helper()
	file := filepath.Join(t.TempDir(), "graph.html")
	f, err := os.Create(file)
	if err == nil {
		err = graph.HTML(f, graph.New(m))
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Open(file)
}

// shown counts what is not hidden.
func shown(p *Page, selector string) int {
	var n int
	p.Eval(`[...document.querySelectorAll("`+selector+`")].filter(e => !e.classList.contains("gone")).length`, &n)
	return n
}

// Of 500 services the reader finds one by its name, and what surrounds it can be read.
func TestAServiceIsFoundAmongFiveHundred(t *testing.T) {
	p := open(t, Start(t), town(500))
	if n := shown(p, "[data-node]"); n != 1000 {
		t.Fatalf("%d nodes are shown, not 1000", n)
	}
	p.Eval(`document.getElementById("search").focus()`, nil)
	p.Type("service-123")
	p.Press("Enter")
	var heading string
	p.Eval(`document.querySelector("#details h2").textContent`, &heading)
	if heading != "team-3/service-123" {
		t.Errorf("%q is chosen", heading)
	}
	if n := shown(p, "[data-node]"); n < 3 || n > 60 {
		t.Errorf("%d nodes surround it", n)
	}
	if n := shown(p, "#edges path"); n < 3 {
		t.Errorf("%d edges are left", n)
	}
	readable(t, p)
	before := shown(p, "[data-node]")
	p.Eval(`{ const d = document.getElementById("depth"); d.value = "2"; d.dispatchEvent(new Event("change")); }`, nil)
	if n := shown(p, "[data-node]"); n <= before {
		t.Errorf("two calls around it show %d nodes, one shows %d", n, before)
	}
	readable(t, p)
	quiet(t, p)
	shoot(p, "focus")
}

// readable: the letters of what is chosen are of a size to read, and no box covers another.
func readable(t *testing.T, p *Page) {
	t.Helper()
	var got struct {
		Letters  float64
		Overlaps int
	}
	p.Eval(`new Promise(done => setTimeout(() => {
		const seen = [...document.querySelectorAll("[data-node]:not(.gone)")].map(e => e.querySelector("rect").getBoundingClientRect());
		let overlaps = 0;
		for (let i = 0; i < seen.length; i++) for (let j = i + 1; j < seen.length; j++) {
			const a = seen[i], b = seen[j];
			if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1) overlaps++;
		}
		done({letters: document.querySelector(".chosen text").getBoundingClientRect().height, overlaps});
	}, 400))`, &got) // the nodes move to their places, a transition of 150 ms
	if got.Letters < 9 || got.Overlaps > 0 {
		t.Errorf("letters are %.1f pixels tall, %d boxes cover others", got.Letters, got.Overlaps)
	}
}

// quiet: the page has complained of nothing and asked nobody for anything.
func quiet(t *testing.T, p *Page) {
	t.Helper()
	if c := p.Complaints(); len(c) > 0 {
		t.Errorf("the page complains: %s", strings.Join(c, "\n"))
	}
	for _, r := range p.Requests() {
		if !strings.Contains(r, "file://") {
			t.Errorf("the page asks the network: %s", r)
		}
	}
}

// Filters hide what is not wanted, and say how much is left; all comes back.
func TestFilters(t *testing.T) {
	p := open(t, Start(t), town(40))
	all := shown(p, "#edges path")
	p.Eval(`{ const k = document.querySelector("[name=kind][value=runs]"); k.click(); }`, nil)
	if n := shown(p, "#edges path"); n != all-40 {
		t.Errorf("without 'run by' %d of %d edges are shown", n, all)
	}
	p.Eval(`{ const s = document.getElementById("namespace"); s.value = "team-9"; s.dispatchEvent(new Event("change")); }`, nil)
	n := shown(p, "[data-node]")
	var said string
	p.Eval(`document.getElementById("count").textContent`, &said)
	if n >= 80 || said != fmt.Sprintf("%d of 80 shown", n) {
		t.Errorf("of one namespace %d nodes are shown, and it says %q", n, said)
	}
	p.Eval(`document.getElementById("all").click()`, nil)
	if n := shown(p, "[data-node]"); n != 80 {
		t.Errorf("%d nodes come back", n)
	}
	quiet(t, p)
}

// The drawing is zoomed and moved by wheel, mouse and keys.
func TestZoom(t *testing.T) {
	p := open(t, Start(t), town(40))
	view := func() (v [4]float64) {
		p.Eval(`document.querySelector("#stage svg").getAttribute("viewBox").split(" ").map(Number)`, &v)
		return v
	}
	start := view()
	p.Mouse("mouseWheel", 800, 400, -100)
	p.Eval(`new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))`, nil)
	near := view()
	if near[2] >= start[2] {
		t.Errorf("the wheel does not zoom: %v, then %v", start, near)
	}
	p.Mouse("mousePressed", 420, 790, 0)
	p.Mouse("mouseMoved", 520, 700, 0)
	p.Mouse("mouseReleased", 520, 700, 0)
	if moved := view(); moved[0] >= near[0] || moved[1] <= near[1] {
		t.Errorf("dragging to the right and up does not move it: %v, then %v", near, moved)
	}
	p.Eval(`document.body.focus()`, nil)
	p.Press("0")
	if again := view(); again != start {
		t.Errorf("0 does not fit it again: %v, then %v", start, again)
	}
	quiet(t, p)
}

// Who has no mouse reaches everything, and who sees no drawing is told what it is.
func TestKeysAndNames(t *testing.T) {
	p := open(t, Start(t), town(12))
	p.Eval(`document.querySelector("[data-node]").focus()`, nil)
	p.Press("Enter")
	if n := shown(p, ".chosen"); n != 1 {
		t.Error("Enter on a node does not choose it")
	}
	p.Press("Escape")
	if n := shown(p, "[data-node]"); n != 24 {
		t.Errorf("after Escape %d nodes are shown", n)
	}
	p.Press("/")
	var focus string
	p.Eval(`document.activeElement.id`, &focus)
	if focus != "search" {
		t.Errorf("/ leads to %q", focus)
	}
	var tree struct {
		Nodes []struct {
			Ignored bool
			Role    struct{ Value string }
			Name    struct{ Value string }
		}
	}
	p.call("Accessibility.getFullAXTree", map[string]any{}, &tree)
	named := 0
	for _, n := range tree.Nodes {
		switch n.Role.Value {
		case "button", "checkbox", "searchbox", "combobox", "link":
			if n.Ignored {
				continue
			}
			named++
			if n.Name.Value == "" {
				t.Errorf("a %s has no name", n.Role.Value)
			}
		}
	}
	if named < 30 {
		t.Errorf("only %d controls were looked at", named)
	}
	var rows int
	p.Eval(`document.querySelectorAll("tbody tr").length`, &rows)
	if rows < 24 {
		t.Errorf("the table has %d rows", rows)
	}
}
