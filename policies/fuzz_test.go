package policies_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/resolve"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/policies"
	"github.com/meshc/meshc/test/fuzz/guard"
)

// smallWorld is a mesh with one of each that rules may judge.
func smallWorld(t testing.TB) *policies.World {
	t.Helper()
	tree, _, err := source.Load(source.Options{Dir: "../examples/02-canary"})
	if err != nil {
		t.Fatal(err)
	}
	files, _ := syntax.Parse(tree)
	mesh, inventory, _, _ := resolve.Mesh(files, ir.Known{}, resolve.Options{})
	return policies.NewWorld(files, mesh, inventory, time.Time{})
}

// hostile are bodies of rules that would never end, take all memory, or leave the sandbox.
var hostile = map[string]string{
	"a request":             "deny contains {\"path\": [], \"message\": http.send({\"url\": \"http://example.com\", \"method\": \"GET\"}).body} if true\n",
	"the environment":       "deny contains {\"path\": [], \"message\": opa.runtime().env.PATH} if true\n",
	"a request with `with`": "f(x) := x\ndeny contains {\"path\": [], \"message\": m} if m := f({\"url\": \"http://example.com\"}) with f as http.send\n",
	"a triple loop":         "deny contains {\"path\": [], \"message\": sprintf(\"%d\", [x])} if { some a in numbers.range(1, 100000); some b in numbers.range(1, 100000); x := a * b; x < 0 }\n",
	"a billion numbers":     "deny contains {\"path\": [], \"message\": \"m\"} if count(numbers.range(1, 1000000000)) > 0\n",
	"itself":                "deny contains x if some x in deny\n",
	"an expression":         "deny contains {\"path\": [], \"message\": \"m\"} if regex.match(`(((a{100}){100}){100}){100}`, \"a\")\n",
	"a wide number":         "deny contains {\"path\": [], \"message\": sprintf(\"%999999999d\", [1])} if true\n",
}

// explosive is a file whose metadata would be of five million words.
const explosive = "# METADATA\n# title: t\n# custom:\n#   a: &a [x,x,x,x,x,x,x,x,x]\n#   b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n#   c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n#   d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n#   e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\n#   f: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n#   g: [*f,*f,*f,*f,*f,*f,*f,*f,*f]\npackage meshc.x\n"

// Whatever a rule's file holds: it is judged, or a finding says why not; the same
// file says the same twice; and neither takes time or memory without bound.
func FuzzRules(f *testing.F) {
	rules, err := filepath.Glob("lib/*/policy.rego")
	if err != nil || len(rules) < 5 {
		f.Fatal("the library is not there", err)
	}
	for _, name := range rules {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	for _, body := range hostile {
		f.Add(rule("kinds: [TrafficSplit]", body).Data)
	}
	f.Add([]byte(explosive))
	world := smallWorld(f)
	limits := policies.Limits{Steps: 10_000, Findings: 20, Wall: 20 * time.Second, Memory: 256 << 20}
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 1<<13 {
			return
		}
		guard.Run(t, 4<<30, func() {
			said := ""
			for range 2 {
				j, found := policies.Load(policies.Options{Files: []*source.File{{Path: "rules/a.rego", Data: text}}, NoLibrary: true, Limits: limits})
				if len(j.Rules()) > 0 && policies.Failed(found) {
					t.Errorf("a rule with a fault is applied: %v", found)
				}
				found.Add(j.Mesh(world, policies.Build)...)
				if missed := j.Sieved(world).Missed; len(missed) > 0 {
					t.Errorf("the sieve hides findings: %v", missed)
				}
				for _, x := range found {
					if at := x.At(); at.File == "" || at.Line < 1 || at.Col < 1 {
						t.Errorf("%s %q stands nowhere: %+v", x.Code, x.Message, at)
					}
				}
				if now := heard(found); said == "" {
					said = now
				} else if now != said {
					t.Errorf("the same rule says\n%s\nand then\n%s", said, now)
				}
			}
		})
	})
}

// heard is findings as text.
func heard(found diag.List) string {
	out := "-"
	for _, x := range found.Sorted() {
		out += fmt.Sprintln(x.Code, x.At(), x.Message)
	}
	return out
}
