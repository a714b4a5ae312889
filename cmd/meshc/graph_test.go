package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler/graph"
)

// Every format is drawn, of sources as of a bundle, and filters leave the rest out.
func TestGraph(t *testing.T) {
	for format, says := range map[string]string{
		"dot":     `"identity:bookbuyer/bookbuyer" -> "service:bookstore/bookstore"`,
		"mermaid": "flowchart LR",
		"svg":     "TrafficTarget/bookstore/bookbuyer-access-bookstore-v1#rule0 (" + bookstore + "/manifests/policy-bookstore.yaml:",
		"html":    "Who may call whom in bookstore",
	} {
		if out, _ := wants(t, exitClean, "graph", "-o", format, bookstore); !strings.Contains(out, says) {
			t.Errorf("%s does not say %q:\n%s", format, says, out)
		}
	}
	dir := t.TempDir() + "/bundle"
	wants(t, exitClean, "build", bookstore, "-o", dir)
	whole, _ := wants(t, exitClean, "graph", "-o", "json", bookstore)
	if same, _ := wants(t, exitClean, "graph", "-o", "json", "--bundle", dir); same != whole {
		t.Errorf("the bundle is drawn otherwise than its sources:\n%s", same)
	}
	out, _ := wants(t, exitClean, "graph", "-o", "json", "--identity", "bookwarehouse/bookwarehouse", bookstore)
	var g graph.Graph
	if err := json.Unmarshal([]byte(out), &g); err != nil {
		t.Fatal(err)
	}
	for _, n := range g.Nodes {
		if n.Namespace == "bookbuyer" || n.Namespace == "bookthief" {
			t.Errorf("%s is not one call from the warehouse", n.ID)
		}
	}
	if len(g.Nodes) < 5 || g.Nodes[0].File == "" {
		t.Errorf("got %+v", g.Nodes)
	}
}

// What is not there is no empty drawing: it would look as if nobody called anybody.
func TestGraphRefusesWhatIsNotThere(t *testing.T) {
	for want, args := range map[string][]string{
		`did you mean "bookbuyer/bookbuyer"`: {"--identity", "bookbuyer/bookbuyr"},
		`did you mean "bookstore"`:           {"--namespace", "bookstor"},
		"is none of dot":                     {"-o", "png"},
		"--identity":                         {"--depth", "2"},
	} {
		if _, err := wants(t, exitUsage, append([]string{"graph", bookstore}, args...)...); !strings.Contains(err, want) {
			t.Errorf("%v: it does not say %q:\n%s", args, want, err)
		}
	}
}
