package graph

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Writers are the formats by name.
var Writers = map[string]func(io.Writer, *Graph) error{"dot": DOT, "mermaid": Mermaid, "json": JSON, "html": HTML, "svg": SVG}

// Formats are the names of the formats, in the order in which help tells them.
var Formats = []string{"dot", "mermaid", "json", "html", "svg"}

// JSON writes nodes and edges. Its field names are a promise to readers.
func JSON(w io.Writer, g *Graph) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(g)
}

// DOT writes the graph for graphviz.
func DOT(w io.Writer, g *Graph) error {
	var b strings.Builder
	b.WriteString("digraph mesh {\n  rankdir=LR;\n  node [fontname=\"monospace\"];\n  edge [fontname=\"monospace\", fontsize=10];\n")
	shapes := map[NodeKind]string{Identity: "ellipse", Service: "box"}
	for _, n := range g.Nodes {
		fmt.Fprintf(&b, "  %s [label=%s, shape=%s];\n", quoted(n.ID), quoted(n.Name+"\n"+n.Subtitle()), shapes[n.Kind])
	}
	styles := map[EdgeKind]string{Grant: "solid", Split: "dashed", Runs: "dotted"}
	for _, e := range g.Edges {
		fmt.Fprintf(&b, "  %s -> %s [label=%s, style=%s];\n", quoted(e.From), quoted(e.To), quoted(e.Label()), styles[e.Kind])
	}
	b.WriteString("}\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// quoted is a string of DOT. Only our own line breaks are breaks.
func quoted(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(clean(lines[i]))
	}
	return `"` + strings.Join(lines, `\n`) + `"`
}

// Mermaid writes a flowchart. Its nodes have numbers: a name could be a word of
// the language.
func Mermaid(w io.Writer, g *Graph) error {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	at := map[string]string{}
	shapes := map[NodeKind][2]string{Identity: {"([", "])"}, Service: {"[", "]"}}
	for i, n := range g.Nodes {
		at[n.ID] = "n" + strconv.Itoa(i)
		shape := shapes[n.Kind]
		fmt.Fprintf(&b, "  %s%s\"%s<br/>%s\"%s\n", at[n.ID], shape[0], entities(n.Name), entities(n.Subtitle()), shape[1])
	}
	arrows := map[EdgeKind]string{Grant: "-->", Split: "==>", Runs: "-.->"}
	for _, e := range g.Edges {
		fmt.Fprintf(&b, "  %s %s|\"%s\"| %s\n", at[e.From], arrows[e.Kind], entities(e.Label()), at[e.To])
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// entities writes every character that Mermaid or the HTML it makes could take for
// a sign of theirs by its number.
func entities(s string) string {
	var b strings.Builder
	for _, r := range clean(s) {
		if r < 0x80 && strings.ContainsRune("\"#<>&`;|{}[]()\\*_~%$", r) {
			fmt.Fprintf(&b, "#%d;", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}
