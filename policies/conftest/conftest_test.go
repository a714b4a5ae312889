package conftest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/policies"
	"github.com/meshc/meshc/policies/conftest"
)

func file(name, text string) *source.File { return &source.File{Path: name, Data: []byte(text)} }

func document(name, text string) conftest.Document {
	return conftest.Document{File: name, Text: []byte(text), At: diag.Span{File: name, Line: 4, Col: 3}}
}

var deployments = []conftest.Document{
	document("web.yaml", "kind: Deployment\nmetadata: {name: web}\nspec: {replicas: 2}\n"),
	document("db.yaml", "kind: Deployment\nmetadata: {name: db}\nspec: {replicas: 1}\n"),
	document("svc.yaml", "kind: Service\nmetadata: {name: web}\n"),
}

// run gives the findings as CODE FILE MESSAGE.
func run(t *testing.T, opts conftest.Options, combine bool, documents ...conftest.Document) []string {
	t.Helper()
	set, found := conftest.Load(opts)
	if len(found) == 0 {
		found = set.Judge(documents, combine, time.Unix(1000, 0))
	}
	var out []string
	for _, f := range found {
		out = append(out, fmt.Sprintf("%s %s %s", f.Code, f.At().File, f.Message))
	}
	return out
}

func same(t *testing.T, got []string, want ...string) {
	t.Helper()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("found\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

const v0 = `package main

name = input.metadata.name

deny[msg] {
	input.kind == "Deployment"
	input.spec.replicas < 2
	msg := sprintf("%s runs once", [name])
}

warn[msg] {
	input.kind == "Service"
	msg = "services are dull"
}

violation[{"msg": msg, "details": {"is": "structured"}}] {
	name == "web"
	input.kind == "Service"
	msg := sprintf("%s is taken", [name])
}
`

const v1 = `package main

name := input.metadata.name

deny contains msg if {
	input.kind == "Deployment"
	input.spec.replicas < 2
	msg := sprintf("%s runs once", [name])
}

warn contains msg if {
	input.kind == "Service"
	msg := "services are dull"
}

violation contains {"msg": msg, "details": {"is": "structured"}} if {
	name == "web"
	input.kind == "Service"
	msg := sprintf("%s is taken", [name])
}
`

// A team brings its policies as they are, whatever Rego they were written in.
func TestPoliciesOfEachShapeRunUnchanged(t *testing.T) {
	future := strings.Replace(v1, "package main\n", "package main\n\nimport future.keywords\n", 1)
	for name, text := range map[string]string{"v0": v0, "v1": v1, "future.keywords": future, "rego.v1": strings.Replace(v1, "package main\n", "package main\n\nimport rego.v1\n", 1)} {
		t.Run(name, func(t *testing.T) {
			got := run(t, conftest.Options{Policies: []*source.File{file("policy/p.rego", text)}}, false, deployments...)
			same(t, got, "MSH0650 db.yaml db runs once", "MSH0650 svc.yaml web is taken", "MSH0651 svc.yaml services are dull")
		})
	}
	// Both in one folder, one helper package for both.
	got := run(t, conftest.Options{Policies: []*source.File{
		file("policy/a.rego", "package main\n\nimport data.lib\n\ndeny[msg] { lib.small; msg := \"small, says v0\" }\n"),
		file("policy/b.rego", "package main\n\nimport data.lib\n\ndeny contains \"small, says v1\" if lib.small\n"),
		file("policy/lib.rego", "package lib\n\nsmall { input.spec.replicas < 2 }\n"),
	}}, false, deployments...)
	same(t, got, "MSH0650 db.yaml small, says v0", "MSH0650 db.yaml small, says v1")
}

func TestExceptionsSpareWhatTheyName(t *testing.T) {
	rules := func(names string) string {
		return `package main

import rego.v1

deny_once contains "runs once" if input.spec.replicas < 2

deny contains "has no owner" if not input.metadata.labels.owner

exception contains rules if {
	input.metadata.name == "db"
	rules := ` + names + `
}
`
	}
	db := deployments[1]
	for names, want := range map[string][]string{
		`["once"]`:     {"MSH0650 db.yaml has no owner"},
		`[""]`:         {"MSH0650 db.yaml runs once"},
		`["other"]`:    {"MSH0650 db.yaml has no owner", "MSH0650 db.yaml runs once"},
		`["once", ""]`: nil,
	} {
		same(t, run(t, conftest.Options{Policies: []*source.File{file("p.rego", rules(names))}}, false, db), want...)
	}
	same(t, run(t, conftest.Options{Policies: []*source.File{file("p.rego", rules(`["once", ""]`))}}, false, deployments[2]), "MSH0650 svc.yaml has no owner")
}

func TestNamespacesAndData(t *testing.T) {
	p := []*source.File{
		file("p.rego", "package main\n\nimport data.teams\n\ndeny[msg] { not teams[input.metadata.name]; msg := \"no team\" }\n"),
		file("q.rego", "package net\n\nwarn[msg] { input.kind == \"Service\"; msg := \"a service\" }\n"),
	}
	d := []*source.File{file("teams.yaml", "teams: {web: {owner: a}}\n"), file("more.json", `{"teams": {"api": {}}}`)}
	opts := conftest.Options{Policies: p, Data: d}
	same(t, run(t, opts, false, deployments...), "MSH0650 db.yaml no team")
	opts.Namespaces = []string{"net"}
	same(t, run(t, opts, false, deployments...), "MSH0651 svc.yaml a service")
	opts.Namespaces, opts.AllNamespaces = nil, true
	same(t, run(t, opts, false, deployments...), "MSH0650 db.yaml no team", "MSH0651 svc.yaml a service")
	opts.AllNamespaces, opts.Namespaces = false, []string{"nte"}
	if got := run(t, opts, false, deployments...); len(got) != 1 || !strings.HasPrefix(got[0], "MSH0652") {
		t.Errorf("a namespace that nobody has passes: %v", got)
	}
	opts = conftest.Options{Policies: p, Data: append(d, file("again.yaml", "teams: none\n"))}
	if got := run(t, opts, false, deployments...); len(got) != 1 || !strings.Contains(got[0], `again.yaml "again.yaml" says again what "teams" is`) {
		t.Errorf("data that contradict each other: %v", got)
	}
}

func TestCombinedInput(t *testing.T) {
	p := file("p.rego", `package main

deny[msg] {
	some i
	input[i].contents.kind == "Deployment"
	name := input[i].contents.metadata.name
	not served[name]
	msg := sprintf("%s: nothing serves %s", [input[i].path, name])
}

served[name] { input[j].contents.kind == "Service"; name := input[j].contents.metadata.name }
`)
	same(t, run(t, conftest.Options{Policies: []*source.File{p}}, true, deployments...), "MSH0650 web.yaml db.yaml: nothing serves db")
}

func TestEachElementOfAListIsJudged(t *testing.T) {
	list := document("list.json", `[{"kind": "Deployment", "metadata": {"name": "a"}, "spec": {"replicas": 1}}, {"kind": "Deployment", "metadata": {"name": "b"}, "spec": {"replicas": 1}}]`)
	same(t, run(t, conftest.Options{Policies: []*source.File{file("p.rego", v0)}}, false, list), "MSH0650 list.json a runs once", "MSH0650 list.json b runs once")
}

// A policy that could not judge has not passed anything.
func TestWhatCannotBeJudgedIsNoPass(t *testing.T) {
	for name, text := range map[string]string{
		"no Rego":         "deny everything",
		"network":         "package main\n\ndeny[msg] { http.send({\"method\": \"get\", \"url\": \"http://127.0.0.1\"}); msg := \"x\" }\n",
		"environment":     "package main\n\ndeny[msg] { opa.runtime().env.HOME; msg := \"x\" }\n",
		"a file":          "package main\n\ndeny[msg] { parse_config_file(\"/etc/passwd\"); msg := \"x\" }\n",
		"chance":          "package main\n\ndeny[msg] { rand.intn(\"x\", 2) == 1; msg := \"x\" }\n",
		"no set":          "package main\n\ndeny { input.kind == \"Deployment\" }\n",
		"no message":      "package main\n\ndeny[x] { x := 1 }\n",
		"another field":   "package main\n\ndeny[{\"message\": \"x\"}] { true }\n",
		"for ever":        "package main\n\ndeny[msg] { some a in numbers.range(1, 5000); some b in numbers.range(1, 5000); a * b < 0; msg := \"x\" }\n",
		"no such package": "package other\n\ndeny[msg] { msg := \"x\" }\n",
		"empty":           "",
	} {
		if name == "for ever" {
			text = strings.Replace(text, "package main\n", "package main\n\nimport future.keywords.in\n", 1)
		}
		t.Run(name, func(t *testing.T) {
			got := run(t, conftest.Options{Policies: []*source.File{file("p.rego", text)}, Limits: policies.Limits{Steps: 1000}}, false, deployments...)
			if len(got) == 0 || slices.ContainsFunc(got, func(g string) bool { return !strings.HasPrefix(g, "MSH0652") }) {
				t.Errorf("found %q", got)
			}
		})
	}
	p := conftest.Options{Policies: []*source.File{file("p.rego", v0)}}
	if got := run(t, p, false, document("bad.yaml", "a: [")); len(got) != 1 || !strings.HasPrefix(got[0], "MSH0652 bad.yaml") {
		t.Errorf("a document that cannot be read: %q", got)
	}
}

// A namespace that no policy has is told of where a policy could have it.
func TestAMissingNamespaceHasAPlace(t *testing.T) {
	_, found := conftest.Load(conftest.Options{Policies: []*source.File{file("p.rego", v0)}, Namespaces: []string{"nope"}})
	if len(found) != 1 || found[0].At().String() != "p.rego:1:1" {
		t.Errorf("found %+v", found)
	}
}

func TestTestsOfPoliciesRun(t *testing.T) {
	set, found := conftest.Load(conftest.Options{Policies: []*source.File{
		file("p.rego", v0),
		file("p_test.rego", `package main

test_small_is_denied {
	cfg := parse_config("yaml", "kind: Deployment\nmetadata: {name: a}\nspec: {replicas: 1}")
	deny["a runs once"] with input as cfg
}

test_wrong { count(deny) == 7 with input as {"kind": "Deployment"} }
`),
	}})
	if len(found) > 0 {
		t.Fatal(found)
	}
	results := set.Tests(nil)
	if len(results) != 2 || !results[0].Passed || results[1].Passed || results[1].Name != "main.test_wrong" || results[1].At.Line != 8 {
		t.Errorf("%+v", results)
	}
}
