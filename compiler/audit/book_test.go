package audit_test

import (
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler/audit"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
)

func rule(set, id, deny string) []*source.File {
	text := strings.NewReplacer("ID", id, "PKG", strings.ToLower(id), "DENY", deny).Replace(`# METADATA
# scope: package
# title: what the team forbids
# description: a rule for tests
# custom:
#   meshc: {id: ID, severity: error, kinds: [TrafficTarget], help: ask the team, since: 0.2.0}
package team.PKG

deny contains {"message": "DENY"} if input.object.metadata.name == "DENY"
`)
	return []*source.File{{Path: set + "/rule.rego", Data: []byte(text)}}
}

// judgesBy are the users' rules in force.
func judgesBy(b *audit.Book) string {
	judge, _ := b.Judge(&syntax.Config{})
	var out []string
	for _, r := range judge.Rules() {
		if !r.Library {
			out = append(out, string(r.Code))
		}
	}
	return strings.Join(out, " ")
}

func TestASetWithAFaultLeavesItsLastForm(t *testing.T) {
	b := &audit.Book{}
	b.Put("one", rule("one", "ONE001", "a"), nil)
	b.Put("two", rule("two", "TWO001", "b"), nil)
	if got := judgesBy(b); got != "ONE001 TWO001" {
		t.Fatal(got)
	}
	faulty := []*source.File{{Path: "one/rule.rego", Data: []byte("package x\n\ndeny contains 1 if {")}}
	b.Put("one", faulty, nil)
	if got := judgesBy(b); got != "ONE001 TWO001" || !b.Set("one").Refused() || b.Set("two").Refused() {
		t.Errorf("%s %+v", got, b.Set("one"))
	}
	b.Put("one", rule("one", "ONE002", "a"), nil)
	if got := judgesBy(b); got != "ONE002 TWO001" || b.Set("one").Refused() {
		t.Errorf("mended: %s %+v", got, b.Set("one"))
	}
	b.Put("three", faulty[:0:0], diag.List{diag.New("MSH0641", diag.Span{File: "meshc.yaml"}, "it is not at hand")})
	if got := judgesBy(b); got != "ONE002 TWO001" || !b.Set("three").Refused() {
		t.Errorf("one that cannot be had: %s", got)
	}
	b.Remove("two")
	if got := judgesBy(b); got != "ONE002" {
		t.Errorf("one that is gone: %s", got)
	}
}

// Whoever comes later must not take the rules of others out of force, whatever its name.
func TestANewcomerWithACodeOfOthersIsRefused(t *testing.T) {
	for _, newcomer := range []string{"a", "z"} {
		b := &audit.Book{}
		b.Put("m", rule("m", "ONE001", "x"), nil)
		judgesBy(b)
		b.Put(newcomer, rule(newcomer, "ONE001", "y"), nil)
		if got := judgesBy(b); got != "ONE001" || b.Set("m").Refused() || !b.Set(newcomer).Refused() {
			t.Errorf("%s: %s, m refused: %v", newcomer, got, b.Set("m").Refused())
		}
	}
}
