package graph

import (
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

//go:embed page
var pageFiles embed.FS

// asset is a file of the page; a missing one is a defect that any test finds.
func asset(name string) string {
	b, err := pageFiles.ReadFile("page/" + name)
	if err != nil {
		panic("graph: " + err.Error())
	}
	return strings.TrimSpace(string(b))
}

// svgStyle is the style of a drawing by itself.
var svgStyle = "svg{" + asset("light.css") + "}\n@media (prefers-color-scheme:dark){svg{" + asset("dark.css") + "}}\n" + asset("marks.css") + "\n"

// pageStyle lets the page's reader choose.
var pageStyle = ":root{color-scheme:light dark;" + asset("light.css") + "}\n@media (prefers-color-scheme:dark){:root:not([data-theme=light]){" + asset("dark.css") + "}}\n:root[data-theme=dark]{" + asset("dark.css") + "}\n" +
	asset("marks.css") + "\n" + asset("page.css") + "\n"

// page is what the script is told. Edges name nodes by their place in the list.
type page struct {
	Summary string     `json:"summary"`
	Width   float64    `json:"width"`
	Height  float64    `json:"height"`
	Nodes   []pageNode `json:"nodes"`
	Edges   []pageEdge `json:"edges"`
}

type pageNode struct {
	ID        string   `json:"id"`
	Kind      NodeKind `json:"kind"`
	Namespace string   `json:"namespace"`
	Name      string   `json:"name"`
	Title     string   `json:"title"`
	X         float64  `json:"x"`
	Y         float64  `json:"y"`
	W         float64  `json:"w"`
	H         float64  `json:"h"`
}

type pageEdge struct {
	From    int      `json:"from"`
	To      int      `json:"to"`
	Kind    EdgeKind `json:"kind"`
	Percent string   `json:"percent,omitempty"`
	Causes  []string `json:"causes"`
}

// HTML writes one page that needs nothing else and asks no network: the drawing, a
// table of the same, search, filters, and what surrounds the one that is chosen.
func HTML(w io.Writer, g *Graph) error {
	d := g.Layout()
	data, err := json.Marshal(newPage(d)) // it writes <, > and & as \u003c and so on
	if err != nil {
		return err
	}
	var drawing strings.Builder
	fmt.Fprintf(&drawing, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %s %s" role="img" aria-label="%s">`+"\n", num(d.Width), num(d.Height), xml(g.summary()))
	d.content(&drawing)
	drawing.WriteString("</svg>\n")
	title := "Who may call whom"
	if g.Mesh != "" {
		title += " in " + clean(g.Mesh)
	}
	_, err = strings.NewReplacer(
		"{{title}}", xml(title), "{{summary}}", xml(g.summary()), "{{style}}", pageStyle, "{{rows}}", g.rows(),
		"{{svg}}", drawing.String(), "{{data}}", string(data), "{{script}}", asset("page.js"),
	).WriteString(w, asset("page.html")+"\n")
	return err
}

func newPage(d *Drawing) page {
	p := page{Summary: d.summary(), Width: d.Width, Height: d.Height, Nodes: []pageNode{}, Edges: []pageEdge{}}
	at := map[string]int{}
	for i, n := range d.Nodes {
		at[n.ID] = i
		b := d.Boxes[i]
		p.Nodes = append(p.Nodes, pageNode{clean(n.ID), n.Kind, clean(n.Namespace), clean(n.Name), cleanLines(n.title()), round(b.X), round(b.Y), round(b.W), round(b.H)})
	}
	for _, e := range d.Edges {
		out := pageEdge{From: at[e.From], To: at[e.To], Kind: e.Kind, Percent: e.Percent, Causes: []string{}}
		for _, c := range e.Causes {
			out.Causes = append(out.Causes, clean(c.Text()))
		}
		p.Edges = append(p.Edges, out)
	}
	return p
}

// rows are the edges as rows of a table.
func (g *Graph) rows() string {
	var b strings.Builder
	for _, e := range g.Edges {
		_, from, _ := strings.Cut(e.From, ":")
		_, to, _ := strings.Cut(e.To, ":")
		what := map[EdgeKind]string{Grant: "may call", Split: "sends " + e.Percent + " to", Runs: "is run by"}[e.Kind]
		var causes []string
		for _, c := range e.Causes {
			causes = append(causes, xml(c.Text()))
		}
		fmt.Fprintf(&b, "<tr><td>%s</td><td>%s</td><td>%s</td><td>%s</td></tr>\n", xml(from), what, xml(to), strings.Join(causes, "<br>"))
	}
	return b.String()
}
