package policies_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/policies"
)

const target = `apiVersion: access.smi-spec.io/v1alpha1
kind: TrafficTarget
metadata: {name: buyers, namespace: shop, labels: {tier: two}}
destination: {kind: ServiceAccount, name: shop, namespace: shop}
specs:
- kind: HTTPRouteGroup
  name: api
sources:
- {kind: ServiceAccount, name: web, namespace: web}
- {kind: ServiceAccount, name: api, namespace: web}
`

// metadata is a rule's head, of seven lines; its body begins in line 8.
func rule(meta, body string) *source.File {
	return &source.File{Path: "rules/r.rego", Data: []byte(`# METADATA
# scope: package
# title: a rule
# custom:
#   meshc: {id: SHOP001, severity: warning, ` + meta + `}
package shop.r

` + body + "\n")}
}

func files(t *testing.T) *syntax.Files { return filesOf(t, target) }

func filesOf(t *testing.T, text string) *syntax.Files {
	t.Helper()
	files, found := syntax.Parse(source.FromMap(map[string][]byte{"access.yaml": []byte(text)}))
	if len(found) > 0 {
		t.Fatal(found)
	}
	return files
}

// judge applies one rule to one target.
func judge(t *testing.T, f *source.File, limits policies.Limits) diag.List {
	t.Helper()
	j, found := policies.Load(policies.Options{Files: []*source.File{f}, NoLibrary: true, Limits: limits})
	found.Add(j.Mesh(policies.NewWorld(files(t), &ir.Mesh{}, nil, time.Time{}), policies.Build)...)
	return found
}

// A gate that passes what it could not judge is worse than none: each way in which
// a rule can fail is a finding at the rule's own line, and no verdict.
func TestARuleThatFailsIsNeverAPass(t *testing.T) {
	const kinds = "kinds: [TrafficTarget]"
	for name, c := range map[string]struct {
		meta, body string
		limits     policies.Limits
		code       diag.Code
		at         string
		says       string
	}{
		"a loop that never ends": {kinds, `deny contains "x" if {
	some a in numbers.range(1, 100000)
	some b in numbers.range(1, 100000)
	a == b + 1000000
}`, policies.Limits{}, policies.CodeLimit, "rules/r.rego:1:1", "more than 500000 steps to judge TrafficTarget/shop/buyers"},
		"one call that is too long for the clock": {kinds, `deny contains "x" if {
	count(regex.find_n("(a|b|ab)*c", concat("", [y | some i in numbers.range(1, 20000); y := "ab"]), -1)) > 1
}`, policies.Limits{Wall: time.Nanosecond}, policies.CodeLimit, "rules/r.rego:", "it took longer than 1ns"},
		"text that doubles": {kinds, "deny contains \"x\" if {\n\ta0 := \"0123456789abcdef\"\n" + doubling(24) + "\tcount(a24) == 7\n}",
			policies.Limits{Memory: 32 << 20}, policies.CodeLimit, "rules/r.rego:", "more memory than 32 MiB"},
		"the network":                        {kinds, `deny contains "x" if http.send({"method": "GET", "url": "http://localhost"}).status_code == 200`, policies.Limits{}, policies.CodeForbidden, "rules/r.rego:8:22", "may not call http.send: a rule has no network"},
		"a name's address":                   {kinds, `deny contains "x" if net.lookup_ip_addr("localhost")`, policies.Limits{}, policies.CodeForbidden, "rules/r.rego:8:22", "no network"},
		"the environment":                    {kinds, `deny contains opa.runtime().env.HOME`, policies.Limits{}, policies.CodeForbidden, "rules/r.rego:8:15", "does not see the environment"},
		"randomness":                         {kinds, `deny contains "x" if rand.intn("a", 2) == 1`, policies.Limits{}, policies.CodeForbidden, "rules/r.rego:8:22", "no randomness"},
		"a mock of the network":              {kinds, `deny contains "x" if count([1]) == 1 with count as http.send`, policies.Limits{}, policies.CodeForbidden, "rules/r.rego:8:", "http.send"},
		"no Rego":                            {kinds, `deny[msg] { msg := "x" }`, policies.Limits{}, policies.CodeSyntax, "rules/r.rego:8:", "if"},
		"a type error":                       {kinds, `deny contains "x" if input.object.spec.sources == "web"`, policies.Limits{}, policies.CodeCompile, "rules/r.rego:8:22", "match error"},
		"a misspelt field":                   {kinds, "deny contains s.name if {\n\tsome s in input.object.spec.sorces\n}", policies.Limits{}, policies.CodeCompile, "rules/r.rego:9:12", "undefined ref: input.object.spec.sorces"},
		"a misspelt field behind a variable": {kinds, "deny contains s.nmae if {\n\tsome s in input.object.spec.sources\n}", policies.Limits{}, policies.CodeCompile, "rules/r.rego:8:15", "nmae"},
		"a misspelt document":                {kinds, `deny contains "x" if data.mesh.grnats["x"]`, policies.Limits{}, policies.CodeCompile, "rules/r.rego:8:22", "undefined ref: data.mesh.grnats"},
		"a parameter it does not have":       {kinds + ", params: {max: {type: number, default: 1}}", `deny contains "x" if data.params.mx > 2`, policies.Limits{}, policies.CodeCompile, "rules/r.rego:8:22", "undefined ref: data"},
		"any parameter, without params":      {kinds, `deny contains "x" if data.params.max > 2`, policies.Limits{}, policies.CodeCompile, "rules/r.rego:8:22", "undefined ref: data"},
		"parameters by a detour":             {kinds, "deny contains \"x\" if {\n\tname := \"params\"\n\tdata[name].max > 2\n}", policies.Limits{}, policies.CodeFailed, "rules/r.rego:", "data.params.NAME"},
		"a function that fails":              {kinds, `deny contains "x" if to_number(input.object.metadata.labels.tier) > 1`, policies.Limits{}, policies.CodeFailed, "rules/r.rego:8:22", "on TrafficTarget/shop/buyers"},
		"an unsafe variable":                 {kinds, `deny contains x if input.object`, policies.Limits{}, policies.CodeCompile, "rules/r.rego:8:", "unsafe"},
		"no message":                         {kinds, `deny contains {"msg": "x"} if input.object`, policies.Limits{}, policies.CodeResult, "rules/r.rego:1:1", "no `message`"},
		"a path that is none":                {kinds, `deny contains {"message": "x", "path": "spec.sources"} if input.object`, policies.Limits{}, policies.CodeResult, "rules/r.rego:1:1", "`path`"},
		"an object that is none":             {"scope: mesh", `deny contains {"message": "x", "object": {"kind": "Pod", "name": "x"}}`, policies.Limits{}, policies.CodeResult, "rules/r.rego:1:1", "`object` is none"},
		"deny that may be undefined":         {kinds, `deny := "x" if input.object.kind == "Pod"`, policies.Limits{}, policies.CodeMetadata, "rules/r.rego:8:1", "must be a set"},
		"deny that is a function":            {kinds, `deny(x) := x`, policies.Limits{}, policies.CodeMetadata, "rules/r.rego:8:1", "must be a set"},
		"no deny":                            {kinds, `allow := true`, policies.Limits{}, policies.CodeMetadata, "rules/r.rego:1:1", "no \"deny\""},
		"no kinds":                           {"scope: object", `deny contains "x"`, policies.Limits{}, policies.CodeMetadata, "rules/r.rego:1:1", "no `kinds`"},
		"an unknown kind":                    {"kinds: [TraficTarget]", `deny contains "x"`, policies.Limits{}, policies.CodeMetadata, "rules/r.rego:1:1", "no kind \"TraficTarget\""},
		"unknown metadata":                   {kinds + ", sevrity: error", `deny contains "x"`, policies.Limits{}, policies.CodeMetadata, "rules/r.rego:1:1", "no field \"sevrity\""},
	} {
		t.Run(name, func(t *testing.T) {
			found := judge(t, rule(c.meta, c.body), c.limits)
			if !policies.Failed(found) || !found.HasErrors() {
				t.Fatalf("it passes: %v", found)
			}
			for _, f := range found {
				if f.Code == c.code && strings.HasPrefix(f.At().String(), c.at) && strings.Contains(f.Message, c.says) {
					return
				}
				t.Logf("%s %s: %s", f.Code, f.At(), f.Message)
			}
			t.Errorf("no %s at %s that says %q", c.code, c.at, c.says)
		})
	}
}

func doubling(n int) string {
	var b strings.Builder
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&b, "\ta%d := concat(\"-%d-\", [a%d, a%d])\n", i, i, i-1, i-1)
	}
	return b.String()
}

// The engine is other people's code: when it panics the other rules still judge,
// and the run is no pass.
func TestACrashOfTheEngineIsAFinding(t *testing.T) {
	builtin := topdown.GetBuiltin("strings.reverse")
	topdown.RegisterBuiltinFunc("strings.reverse", func(topdown.BuiltinContext, []*ast.Term, func(*ast.Term) error) error {
		panic("index out of range")
	})
	defer topdown.RegisterBuiltinFunc("strings.reverse", builtin)
	crashing := rule("kinds: [TrafficTarget]", `deny contains "x" if strings.reverse("ab") == "ba"`)
	sound := rule("kinds: [TrafficTarget]", `deny contains {"path": ["spec", "sources", 1, "name"], "message": "found"} if input.object`)
	sound.Path = "rules/sound.rego"
	sound.Data = []byte(strings.NewReplacer("SHOP001", "SHOP002", "shop.r", "shop.sound").Replace(string(sound.Data)))
	j, found := policies.Load(policies.Options{Files: []*source.File{crashing, sound}, NoLibrary: true})
	found.Add(j.Mesh(policies.NewWorld(files(t), &ir.Mesh{}, nil, time.Time{}), policies.Build)...)
	if len(found) != 2 || !policies.Failed(found) {
		t.Fatalf("got %v", found)
	}
	if f := found[1]; f.Code != policies.CodeCrashed || f.At().File != "rules/r.rego" || !strings.Contains(f.Message, "index out of range") {
		t.Errorf("the crash is %s at %s: %s", f.Code, f.At(), f.Message)
	}
	if f := found[0]; f.Code != "SHOP002" || f.At().String() != "access.yaml:10:32" || f.Path != "sources[1].name" {
		t.Errorf("the sound rule gave %s at %s, path %s: %s", f.Code, f.At(), f.Path, f.Message)
	}
}

// Thousands of findings of one rule would bury the others, and end in a report
// that nobody reads; those left out are counted.
func TestFindingsOfARuleAreBounded(t *testing.T) {
	found := judge(t, rule("kinds: [TrafficTarget]", `deny contains sprintf("fault %d", [i]) if some i in numbers.range(1, 50)`), policies.Limits{Findings: 3})
	count := map[diag.Code]int{}
	for _, f := range found {
		count[f.Code]++
	}
	if count["SHOP001"] != 3 || count[policies.CodeTooMany] != 1 || policies.Failed(found) {
		t.Errorf("got %v", count)
	}
}

// A rule whose own file is broken must not take the others with it.
func TestOneFaultyRuleLeavesTheOthers(t *testing.T) {
	bad := rule("kinds: [TrafficTarget]", `deny contains input.object.nothing`)
	good := rule("kinds: [TrafficTarget]", `deny contains "found" if input.object`)
	good.Path = "rules/good.rego"
	good.Data = []byte(strings.NewReplacer("SHOP001", "SHOP002", "shop.r", "shop.good").Replace(string(good.Data)))
	j, found := policies.Load(policies.Options{Files: []*source.File{bad, good}, NoLibrary: true})
	if !policies.Failed(found) || len(j.Rules()) != 1 || j.Rules()[0].Code != "SHOP002" {
		t.Errorf("rules %v, findings %v", j.Rules(), found)
	}
}

// Who lowers what cannot be lowered is told so: the build would go on failing, and
// nobody would know why.
func TestSeveritiesThatCannotBeSet(t *testing.T) {
	config := func(code, level string) *syntax.Config {
		text := "apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata:\n  name: m\nspec:\n  rules:\n    severity: {" + code + ": " + level + "}\n"
		tree := source.FromMap(map[string][]byte{})
		tree.Config = &source.File{Path: "meshc.yaml", Data: []byte(text)}
		files, found := syntax.Parse(tree)
		if len(found) > 0 {
			t.Fatal(found)
		}
		return files.Config
	}
	for _, c := range []struct {
		code, level string
		told        bool
	}{
		{"MSH1002", "warning", true}, {"MSH1002", "off", true}, {"MSH1002", "error", false},
		{"MSH0609", "off", true}, {"MSH3011", "off", false}, {"MSH3011", "error", false}, {"MSH1501", "info", false},
	} {
		_, found := policies.Load(policies.Options{Config: config(c.code, c.level), Only: []diag.Code{"MSH1501"}})
		if (len(found) == 1 && found[0].Code == policies.CodeSetting && found[0].At().Line == 7) != c.told || !c.told && len(found) > 0 {
			t.Errorf("%s: %s: %v", c.code, c.level, found)
		}
	}
}
