package policies_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/policies"
)

// whole is a rule that says all of itself; its body begins in line 15.
func whole(meta, params, body string) *source.File {
	return &source.File{Path: "rules/r.rego", Data: []byte(`# METADATA
# scope: package
# title: a rule
# description: What it finds.
# custom:
#   meshc:
#     id: SHOP001
#     severity: warning
#     help: mend it
#     ` + meta + `
#     params: {` + params + `}
package shop.r


` + body + "\n")}
}

func linted(files ...*source.File) string {
	var out []string
	for _, f := range policies.Lint(files) {
		out = append(out, fmt.Sprintf("%s %s", f.At(), f.Code))
	}
	return strings.Join(out, ", ")
}

const onTargets = "kinds: [TrafficTarget]"

// Each weakness is found where it stands, and what is written as the documents
// advise is not found.
func TestLintFindsWhatIsWeak(t *testing.T) {
	fire := `deny contains {"path": [], "message": "x"} if `
	for name, c := range map[string]struct {
		meta, params, body, want string
	}{
		"good": {onTargets, "p: {type: string, default: a, help: h}", fire + `input.object.metadata.name == data.params.p`, ""},

		"parameter without help": {onTargets, "p: {type: string}", fire + `input.object.metadata.name == data.params.p`, "rules/r.rego:1:1 MSH0622"},
		"parameter unused":       {onTargets, "p: {type: string, help: h}", fire + `input.object.metadata.name == "a"`, "rules/r.rego:1:1 MSH0623"},
		"parameters as a whole":  {onTargets, "p: {type: string, help: h}", fire + `count(data.params) > 1`, ""},

		"helper of one definition": {onTargets, "", fire + "named\nnamed if input.object.metadata.name == \"a\"", ""},
		"helper that hides":        {onTargets, "", fire + "named\n" + fire + "input.object.metadata.name == \"b\"\nnamed if input.object.metadata.name == \"a\"", "rules/r.rego:15:47 MSH0624"},
		"function that hides":      {onTargets, "", fire + "called(input.object.metadata.name)\n" + fire + "called(input.object.metadata.namespace)\ncalled(n) if n == \"a\"", "rules/r.rego:15:47 MSH0624, rules/r.rego:16:47 MSH0624"},
		"function that does more":  {onTargets, "", fire + "called(input.object.metadata.name)\n" + fire + "called(input.object.metadata.namespace)\ncalled(n) if startswith(n, \"a\")", ""},
		"function of a source":     {onTargets, "", fire + "{ some s in input.object.spec.sources; called(s.name) }\n" + fire + "input.object.metadata.name == \"b\"\ncalled(n) if n == \"a\"", ""},

		"guard of the only kind": {onTargets, "", fire + `input.object.kind == "TrafficTarget"`, "rules/r.rego:15:47 MSH0625"},
		"guard of one of two":    {"kinds: [TrafficTarget, TCPRoute]", "", fire + `input.object.kind == "TrafficTarget"`, ""},

		"walk for each object":     {onTargets, "", fire + "{\n\tsome g in data.mesh.grants\n\tg.name == input.object.metadata.name\n}", "rules/r.rego:16:2 MSH0626"},
		"walk once":                {"scope: mesh", "", fire + "{\n\tsome g in data.mesh.grants\n\tg.name == \"x\"\n}", ""},
		"lookup within a walk":     {"scope: mesh", "", fire + "{\n\tsome g in data.mesh.grants\n\tsome s in g.services\n\tdata.mesh.services[s].headless\n}", ""},
		"pair loop":                {"scope: mesh", "", fire + "{\n\tsome g in data.mesh.grants\n\tsome s in data.mesh.services\n\ts.name in g.services\n}", "rules/r.rego:17:2 MSH0626"},
		"pair loop by a variable":  {"scope: mesh", "", fire + "{\n\tall := data.mesh.services\n\tsome a\n\tsome b\n\tall[a].name == all[b].namespace\n}", "rules/r.rego:19:17 MSH0626"},
		"walk in a comprehension":  {"scope: mesh", "", fire + "{\n\tsome g in data.mesh.grants\n\tcount([s | some s in data.mesh.services; s.name in g.services]) > 1\n}", "rules/r.rego:17:13 MSH0626"},
		"walk in a function":       {"scope: mesh", "", fire + "{\n\tsome g in data.mesh.grants\n\tbacked(g)\n}\nbacked(g) if { some s in data.mesh.services; s.name in g.services }", "rules/r.rego:17:2 MSH0626"},
		"walk in every":            {"scope: mesh", "", fire + "{\n\tsome g in data.mesh.grants\n\tevery s in data.mesh.services { s.name != g.name }\n}", "rules/r.rego:17:2 MSH0626"},
		"two walks in two rules":   {"scope: mesh", "", fire + "{\n\tsome g in data.mesh.grants\n\tg.name in names\n}\nnames contains s.name if some s in data.mesh.services", ""},
		"walk over meshc.yaml's":   {"kinds: [Mesh]", "", fire + "{ some n in data.mesh.namespaces; n.mode == \"permissive\" }", ""},
		"walk over objects":        {"scope: mesh", "", fire + "{\n\tsome a in data.mesh.objects.Service\n\tsome b in data.mesh.objects.Pod\n\ta.x == b.x\n}", "rules/r.rego:17:2 MSH0626"},
		"an object among the many": {"scope: mesh", "", fire + "{\n\tsome a in data.mesh.objects.Service\n\tdata.mesh.objects.Pod[a.name].x == a.x\n}", ""},

		"dead":          {onTargets, "", fire + "input.object.metadata.name == \"a\"\nowned if input.object.metadata.labels.owner", "rules/r.rego:16:1 MSH0627"},
		"dead in turn":  {onTargets, "", fire + "input.object.metadata.name == \"a\"\na if b\nb if c(1)\nc(x) if x == 1", "rules/r.rego:16:1 MSH0627, rules/r.rego:17:1 MSH0627, rules/r.rego:18:1 MSH0627"},
		"used in turn":  {onTargets, "", fire + "a\na if b\nb if c(input.object.spec)\nc(x) if count(x) == 1", ""},
		"used in else":  {onTargets, "", fire + "a\na if input.object.metadata.name == \"a\" else := true if b\nb if count(input.object.spec) == 1", ""},
		"deprecated":    {onTargets, "", fire + `re_match("a", input.object.metadata.name)`, "rules/r.rego:15:47 MSH0631"},
		"out of bounds": {onTargets, "", fire + `http.send({}).status == 200`, "rules/r.rego:15:47 MSH0603"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := linted(whole(c.meta, c.params, c.body)); got != c.want {
				t.Errorf("found %q, want %q", got, c.want)
			}
		})
	}
}

func TestLintReadsWhatARuleSaysOfItself(t *testing.T) {
	body := `deny contains {"path": [], "message": "x"} if input.object.metadata.name == "a"`
	if got := linted(rule(onTargets, body)); got != "rules/r.rego:1:1 MSH0620, rules/r.rego:1:1 MSH0620" {
		t.Errorf("neither description nor help: %q", got)
	}
	for _, title := range []string{"A rule", "a rule."} {
		f := whole(onTargets, "", body)
		f.Data = []byte(strings.Replace(string(f.Data), "title: a rule", "title: "+title, 1))
		if got := linted(f); got != "rules/r.rego:1:1 MSH0620" {
			t.Errorf("the title %q: %q", title, got)
		}
	}
	f := whole(onTargets, "", body)
	f.Data = []byte(strings.NewReplacer("SHOP001", "MSH9001", "title: a rule", "title: TCP is open").Replace(string(f.Data)))
	if got := linted(f); got != "rules/r.rego:1:1 MSH0621" {
		t.Errorf("a code of meshc's own: %q", got)
	}
}

// A function that rules share is alive when one of them needs it.
func TestLintSeesSharedFunctions(t *testing.T) {
	shared := &source.File{Path: "rules/shared.rego", Data: []byte("package shop.shared\n\nowned(o) if o.metadata.labels.owner\n\nlost(o) if o.metadata.labels.lost\n")}
	uses := whole(onTargets, "", "deny contains {\"path\": [], \"message\": \"x\"} if not data.shop.shared.owned(input.object)")
	if got := linted(uses, shared); got != "rules/shared.rego:5:1 MSH0627" {
		t.Error(got)
	}
}
