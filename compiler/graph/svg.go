package graph

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// SVG writes the drawing as one document that needs nothing else: light or dark as
// its reader has it, with the whole of every label in titles.
func SVG(w io.Writer, g *Graph) error {
	var b strings.Builder
	d := g.Layout()
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%s" height="%s" viewBox="0 0 %s %s" role="img" aria-label="%s">`,
		num(d.Width), num(d.Height), num(d.Width), num(d.Height), xml(g.summary()))
	b.WriteString("\n<style>" + svgStyle + "</style>\n")
	d.content(&b)
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// summary tells how much a graph holds.
func (g *Graph) summary() string {
	count := map[NodeKind]int{}
	for _, n := range g.Nodes {
		count[n.Kind]++
	}
	grants := 0
	for _, e := range g.Edges {
		if e.Kind == Grant {
			grants++
		}
	}
	text := fmt.Sprintf("%d identities, %d services, %d pairs of who may call what", count[Identity], count[Service], grants)
	if g.Mesh != "" {
		text = "mesh " + clean(g.Mesh) + ": " + text
	}
	return text
}

// mostLabels is how many edges may carry their labels on the drawing.
const mostLabels = 60

// content are the edges, then the nodes above them.
func (d *Drawing) content(b *strings.Builder) {
	b.WriteString(`<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="9" markerHeight="9" markerUnits="userSpaceOnUse" orient="auto-start-reverse"><path d="M0 0 8 4 0 8z"/></marker></defs>` + "\n")
	b.WriteString(`<g id="edges">` + "\n")
	for i, e := range d.Edges {
		fmt.Fprintf(b, `<path class="edge %s" data-edge="%d" marker-end="url(#head)" d="%s"><title>%s</title></path>`+"\n",
			e.Kind, i, path(d.Lines[i], e.From == e.To), xml(e.title()))
	}
	b.WriteString("</g>\n")
	if len(d.Edges) <= mostLabels {
		d.labels(b)
	}
	b.WriteString(`<g id="nodes">` + "\n")
	for i, n := range d.Nodes {
		d.node(b, i, n)
	}
	b.WriteString("</g>\n")
}

func (d *Drawing) node(b *strings.Builder, i int, n Node) {
	box := d.Boxes[i]
	class := string(n.Kind)
	if n.Missing {
		class += " missing"
	}
	round := "4"
	if n.Kind == Identity {
		round = num(box.H / 2)
	}
	fmt.Fprintf(b, `<g class="node %s" data-node="%d" transform="translate(%s %s)"><title>%s</title>`, class, i, num(box.X), num(box.Y), xml(n.title()))
	fmt.Fprintf(b, `<rect width="%s" height="%s" rx="%s"/>`, num(box.W), num(box.H), round)
	fmt.Fprintf(b, `<text x="%s" y="17">%s</text><text class="sub" x="%s" y="31">%s</text></g>`+"\n",
		num(box.W/2), xml(short(n.Name)), num(box.W/2), xml(short(n.Subtitle())))
}

// labels stand in the middle of the edges of a small drawing.
func (d *Drawing) labels(b *strings.Builder) {
	b.WriteString(`<g id="labels">` + "\n")
	for i, e := range d.Edges {
		if e.Kind == Runs || e.From == e.To {
			continue
		}
		line := d.Lines[i]
		from, to := line[0], line[1]
		fmt.Fprintf(b, `<text class="tag" data-edge="%d" x="%s" y="%s">%s</text>`+"\n", i, num((from.X+to.X)/2), num((from.Y+to.Y)/2-4), xml(tag(e.Label())))
	}
	b.WriteString("</g>\n")
}

// tag is a label that fits between two layers.
func tag(s string) string {
	r := []rune(s)
	if len(r) > 18 {
		return clean(string(r[:17]) + "…")
	}
	return clean(s)
}

// title is all there is to say of a node.
func (n Node) title() string {
	text := n.Name + "\n" + n.Subtitle()
	if len(n.Ports) > 0 {
		text += "\nports " + strings.Join(n.Ports, ", ")
	}
	if n.File != "" {
		text += fmt.Sprintf("\n%s:%d", n.File, n.Line)
	}
	return text
}

// title is all there is to say of an edge.
func (e Edge) title() string {
	verb := map[EdgeKind]string{Grant: "may call", Split: "sends " + e.Percent + " of its calls to", Runs: "is run by"}[e.Kind]
	_, from, _ := strings.Cut(e.From, ":")
	_, to, _ := strings.Cut(e.To, ":")
	text := from + " " + verb + " " + to
	for _, c := range e.Causes {
		text += "\n" + c.Text()
	}
	return text
}

// Text is a cause in one line: the object, its ports and requests, where it lies.
func (c Cause) Text() string {
	text := c.Name
	if c.File != "" {
		text += fmt.Sprintf(" (%s:%d)", c.File, c.Line)
	}
	if len(c.Ports) > 0 {
		text += fmt.Sprintf(" on %s", strings.Trim(strings.ReplaceAll(fmt.Sprint(c.Ports), " ", ", "), "[]"))
	}
	if len(c.Requests) > 0 {
		text += ": " + strings.Join(c.Requests, "; ")
	}
	return text
}

// path is a smooth line through dots; a loop leaves a box and comes back to it.
func path(dots []Dot, loop bool) string {
	if loop {
		right := dots[0]
		return fmt.Sprintf("M%s %sc50 -50 50 50 2 12", num(right.X), num(right.Y-6))
	}
	out := "M" + num(dots[0].X) + " " + num(dots[0].Y)
	for i := 1; i < len(dots); i++ {
		a, b := dots[i-1], dots[i]
		reach := math.Max(math.Abs(b.X-a.X)/2, 30)
		if b.X < a.X {
			reach = -reach
		}
		out += fmt.Sprintf("C%s %s %s %s %s %s", num(a.X+reach), num(a.Y), num(b.X-reach), num(b.Y), num(b.X), num(b.Y))
	}
	return out
}

// num is a coordinate with at most one decimal.
func num(f float64) string { return strconv.FormatFloat(round(f), 'f', -1, 64) }

func round(f float64) float64 { return math.Round(f*10) / 10 }

var xmlEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#39;")

// xml is text for an element or an attribute. Line breaks are our own.
func xml(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = xmlEscapes.Replace(clean(lines[i]))
	}
	return strings.Join(lines, "&#10;")
}
