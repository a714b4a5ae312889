package policies_test

import (
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/policies"
)

// A rule that reads a field which is not there finds nothing, for ever: it must not
// compile, wherever the field is read.
func TestAMisspeltFieldDoesNotCompile(t *testing.T) {
	for body, name := range map[string]string{
		`deny contains "m" if data.mesh.services["a/b"].acounts`:                                              "acounts",
		`deny contains "m" if {some s in data.mesh.services; s.port > 0}`:                                     "port",
		`deny contains "m" if {some s in data.mesh.services; some p in s.ports; p.number == 80}`:              "number",
		`deny contains "m" if data.mesh.grants[data.mesh.identities["a/b"].outgoing[_]].source == "x"`:        "source",
		`deny contains "m" if count({b | some s in data.mesh.splits; b := s.backend[_]}) > 0`:                 "backend",
		`deny contains "m" if every w in data.mesh.workloads { w.mesh }`:                                      "mesh",
		`deny contains "m" if not data.mesh.workloads["a"].injected`:                                          "injected",
		"deny contains \"m\" if {some g in data.mesh.grants; wide(g)}\nwide(g) if g.http[0].paths == \"\"":    "paths",
		`deny contains "m" if data.mesh.objects.TrafficTarget["a/b"].spec.source`:                             "source",
		`deny contains "m" if {some x in data.mesh.objects.TrafficSplit; x.spec.backends[0].wait > 0}`:        "wait",
		"deny contains \"m\" if reach(\"a\")\nreach(i) if {r := data.mesh.references[i]; count(r.fromm) > 0}": "fromm",
	} {
		file := rule("kinds: [Service]", body)
		judge, found := policies.Load(policies.Options{Files: []*source.File{file}, NoLibrary: true})
		if len(found) != 1 || found[0].Code != policies.CodeCompile || !strings.Contains(found[0].Message, `"`+name+`"`) || len(judge.Rules()) > 0 {
			t.Errorf("%s\n%v", body, found)
			continue
		}
		line := strings.Split(string(file.Data), "\n")[found[0].At().Line-1]
		if !strings.HasPrefix(string([]rune(line)[found[0].At().Col-1:]), name) {
			t.Errorf("%s: the finding is at %s", body, found[0].At())
		}
	}
}

// What rules may read is what is there, no more and no less.
func TestTheShapesOfTheMeshAreWhole(t *testing.T) {
	for _, path := range smallWorld(t).Unshaped() {
		t.Errorf("%s is there, and rules may not read it", path)
	}
	judge, _ := policies.Load(policies.Options{Disabled: true})
	for _, f := range judge.Misspelt() {
		t.Errorf("%s: %s", f.At(), f.Message)
	}
}
