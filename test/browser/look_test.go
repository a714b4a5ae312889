//go:build browser

package browser

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/meshc/meshc/compiler/ir"
)

// Text stands out from what lies behind it, for readers who like light and dark.
func TestContrast(t *testing.T) {
	p := open(t, Start(t), town(12))
	p.Eval(`document.querySelector("[data-node]").dispatchEvent(new MouseEvent("click", {bubbles: true}))`, nil)
	seen := map[string]bool{}
	for _, scheme := range []string{"light", "dark", "toggled"} {
		if scheme == "toggled" {
			p.Eval(`document.getElementById("theme").click()`, nil)
		} else {
			p.Scheme(scheme)
		}
		var got []struct {
			What  string
			Ratio float64
			Back  string
		}
		p.Eval(contrast, &got)
		if len(got) < 8 {
			t.Fatalf("only %d texts were looked at", len(got))
		}
		for _, g := range got {
			if g.Ratio < 4.5 {
				t.Errorf("%s: %s has a contrast of %.1f", scheme, g.What, g.Ratio)
			}
		}
		seen[got[0].Back] = true
		shoot(p, scheme)
	}
	if len(seen) != 2 {
		t.Errorf("light and dark have the same background: %v", seen)
	}
}

const contrast = `(() => {
	const rgb = (s) => s.match(/[\d.]+/g).map(Number);
	const lum = ([r, g, b]) => { const f = (c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b); };
	const ratio = (a, b) => { const [x, y] = [lum(rgb(a)), lum(rgb(b))].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
	const behind = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if (rgb(c)[3] !== 0) return c; } return "rgb(255,255,255)"; };
	const out = [];
	for (const e of document.querySelectorAll("h1,#count,button,label,#details h2,#details h3,#details div,li button,.cause,td,th,legend,summary"))
		if (e.textContent.trim()) out.push({what: e.tagName + " " + e.textContent.trim().slice(0, 30), ratio: ratio(getComputedStyle(e).color, behind(e)), back: behind(e)});
	for (const g of document.querySelectorAll("[data-node]")) for (const t of g.querySelectorAll("text"))
		out.push({what: "node " + t.textContent, ratio: ratio(getComputedStyle(t).fill, getComputedStyle(g.querySelector("rect")).fill), back: ""});
	return out;
})()`

// Names and expressions of a mesh never become markup or script.
func TestHostileNamesStayText(t *testing.T) {
	evil := `</script></title><img src=x onerror="window.hacked=1"><svg onload="window.hacked=2">'"&{{data}}` + "\u202e\x00"
	m := town(4)
	m.Settings.Name = evil
	m.Services[0].ID.Name = evil
	m.Identities = append(m.Identities, ir.Identity("spiffe://other/"+evil))
	m.Grants[1].HTTP[0].Path = evil
	m.Grants[1].Name = "TrafficTarget/" + evil
	m.Origins[m.Grants[1].Name] = ir.Origin{File: evil, Line: 1}
	p := open(t, Start(t), m)
	p.Eval(`document.querySelectorAll("li button").forEach(b => b.click())`, nil)
	var got struct {
		Hacked bool
		Images int
		Loads  int
		Text   bool
	}
	p.Eval(`({hacked: "hacked" in window, images: document.querySelectorAll("img").length, loads: document.querySelectorAll("[onload],[onerror]").length,
		text: document.body.textContent.includes("window.hacked=1")})`, &got)
	if got.Hacked || got.Images > 0 || got.Loads > 0 || !got.Text {
		t.Errorf("a name became markup, or was lost: %+v", got)
	}
	quiet(t, p)
}

// shoot keeps a picture for who wants to look, in the folder MESHC_SHOTS.
func shoot(p *Page, name string) {
	if dir := os.Getenv("MESHC_SHOTS"); dir != "" {
		p.Screenshot(filepath.Join(dir, name+".png"))
	}
}
