package policies_test

import (
	"strings"
	"testing"
	"time"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/resolve"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/policies"
	"github.com/meshc/meshc/test/bench"
)

// A rule of the library that OPA must be asked about on every object makes every
// build slow: of a mesh without much to find, OPA is asked where there is something.
func TestTheLibraryIsSieved(t *testing.T) {
	files, _ := syntax.Parse(source.FromMap(bench.RefMesh(30, 2)))
	mesh, inventory, _, _ := resolve.Mesh(files, ir.Known{}, resolve.Options{})
	judge, found := policies.Load(policies.Options{Disabled: true})
	if len(found) > 0 {
		t.Fatal(found)
	}
	s := judge.Sieved(policies.NewWorld(files, mesh, inventory, time.Time{}))
	for _, m := range s.Missed {
		t.Errorf("the sieve hides a finding: %s", m)
	}
	for _, m := range s.Asked {
		t.Errorf("OPA is asked in vain: %s", m)
	}
	if s.Spared < 500 {
		t.Errorf("only %d questions were asked", s.Spared)
	}
}

// What the sieve knows of Rego it must know exactly: each of these finds something.
func TestTheSieveHidesNothing(t *testing.T) {
	world := smallWorld(t)
	for _, body := range strings.Split(language, "\n---\n") {
		judge, found := policies.Load(policies.Options{Files: []*source.File{rule("kinds: [Service]", body)}, NoLibrary: true})
		if len(found) > 0 {
			t.Fatalf("%s\n%v", body, found)
		}
		if s := judge.Sieved(world); len(s.Missed) > 0 || len(s.Asked) > 0 || s.Spared > 0 {
			t.Errorf("%s\nhidden %v, in vain %v, spared %d", body, s.Missed, s.Asked, s.Spared)
		}
	}
}

// language are bodies of rules that find something in any service.
const language = `deny contains "m" if not input.object.spec.nothing
---
deny contains "m" if every b in input.object.spec.ports { b.port >= 0 }
---
deny contains "m" if every i, b in input.object.spec.ports { input.object.spec.ports[i] == b }
---
deny contains "m" if {
	some i, b in input.object.spec.ports
	not i > 100
	b.name != ""
}
---
deny contains "m" if count({b.name | some b in input.object.spec.ports}) > 0
---
deny contains "m" if {b.name: b.port | some b in input.object.spec.ports}[_] >= 0
---
deny contains "m" if [b.name | some b in input.object.spec.ports][0] != ""
---
deny contains "m" if sum([b.port | some b in input.object.spec.ports]) > 0
---
deny contains "m" if twice(2) == 4
twice(n) := m if m := n * 2
---
deny contains "m" if kind(5) == "odd"
kind(n) := "even" if n % 2 == 0
else := "odd"
---
default on := true
on := false if input.object.spec.nothing
deny contains "m" if on
---
deny contains "m" if "b" in names
names contains x if x := ["a", "b"][_]
---
deny contains "m" if {"a", "b", "c"} - {"a"} == {"c", "b"}
---
deny contains "m" if {"a": [1, {"b": null}]} == {"a": [1, {"b": null}]}
---
deny contains "m" if [x, y] = ["a", "b"]
---
deny contains "m" if {1, 1.0} == {1}
---
deny contains "m" if object.get(input.object, ["spec", "ports", 0, "name"], "") != ""
---
deny contains "m" if object.get({"a": 1}, "b", 2) == 2
---
deny contains "m" if object.union_n([{"a": {"b": 1}}, {"a": {"c": 2}}]).a == {"b": 1, "c": 2}
---
deny contains "m" if concat("/", {"b", "a"}) == "a/b"
---
deny contains "m" if sprintf("%s-%d-%q", ["a", 1, "b"]) == "a-1-\"b\""
---
deny contains "m" if sprintf("%v", [{"a"}]) != ""
---
deny contains "m" if null == null
---
deny contains "m" if input.object.metadata.name in [n | some k, _ in data.mesh.services; n := split(k, "/")[1]]
---
deny contains "m" if count(data.mesh.services) > 1
---
deny contains "m" if {some s in data.mesh.services; s.ports[_].port > 0}
---
deny contains "m" if data.mesh.settings.mode == "strict"
---
deny contains "m" if data.mesh["settings"].egress
---
deny contains "m" if "10" < "9"
---
deny contains "m" if 9 < 10
---
deny contains "m" if ["a"] < {"b"}
---
deny contains "m" if "a" < {"a": 1}
---
deny contains "m" if min({"b", "a"}) == "a"
---
deny contains "m" if to_number("12") == 12
---
deny contains "m" if sum({1, 2}) == 3
---
deny contains "m" if regex.is_valid("a+")
---
deny contains "m" if not regex.is_valid("a(")
---
deny contains "m" if 1.5 > 1
---
deny contains "m" if [1, 2][_] == 2
---
deny contains "m" if not false
---
deny contains "m" if count("äö") == 2
---
deny contains "m" if walk(input, [["object", "kind"], "Service"])
---
deny contains "m" if to_number("x") > 1
---
deny contains "m" if f("a") == 1
f("a") := 1
f(x) := 2 if x != "a"
---
deny contains "m" if g([1, 2]) == 2
g([_, x]) := x
---
deny contains "m" if two == 2
two := 2 if true
two := 3 if not input.object.spec
---
deny contains "m" if two == 2
two := 2 if true
two := 3 if true
`
