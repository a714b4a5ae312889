package validate_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/meshc/meshc/admission/validate"
	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/diag"
)

const lent = `
apiVersion: meshc.dev/v1alpha1
kind: BreakGlass
metadata: {name: now, namespace: shop}
spec: {from: shop/front, to: "shop/cart:80", reason: INC-1, by: alice, until: "2027-01-31T13:00:00Z"}
`

// Who opened what, and who ended it, is worth something only if nobody can write another's
// name, and if nobody can change it later.
func TestARecordNamesWhoAsksAndStays(t *testing.T) {
	s := live(t, map[string][]byte{"shop.yaml": []byte(shop)})
	change := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(lent) }
	ended := change("by: alice", "by: alice, endedBy: bob")
	for _, c := range []struct {
		name, user, before, now, denied string
	}{
		{"it is opened", "alice", "", lent, ""},
		{"in the name of another", "bob", "", lent, "MSH1105"},
		{"a record of what is over is restored", "velero", "", ended, ""},
		{"another ends it", "bob", lent, ended, ""},
		{"in the name of another", "carol", lent, ended, "MSH1105"},
		{"a label comes", "bob", lent, change("namespace: shop}", "namespace: shop, labels: {a: b}}"), ""},
		{"it is made longer", "alice", lent, change("T13", "T14"), "MSH1106"},
		{"it is opened for another", "alice", lent, change("shop/front", "shop/cart"), "MSH1106"},
		{"another reason is given", "alice", lent, change("INC-1", "INC-2"), "MSH1106"},
		{"who ended it is changed", "carol", ended, change("by: alice", "by: alice, endedBy: carol"), "MSH1106"},
		{"it is opened again", "bob", ended, lent, "MSH1106"},
		{"it has no reason", "alice", "", change("reason: INC-1, ", ""), "MSH0104"},
		{"it has no end", "alice", "", change(`, until: "2027-01-31T13:00:00Z"`, ""), "MSH0104"},
		{"nobody knows the service", "alice", "", change("cart:80", "cartt:80"), "MSH1104"},
	} {
		operation := "CREATE"
		if c.before != "" {
			operation = "UPDATE"
		}
		r := ask(t, operation, c.now)
		r.UserInfo.Username = c.user
		if c.before != "" {
			r.OldObject = ask(t, operation, c.before).Object
		}
		answer := validate.Decide(s, r, false)
		denied, _ := codesOf(answer)
		if answer.Allowed != (c.denied == "") || c.denied != "" && !slices.Contains(denied, c.denied) {
			t.Errorf("%s: allowed %v, denied as %v, want %q", c.name, answer.Allowed, denied, c.denied)
		}
	}
}

// later is a compiler by whose clock what comes is over.
type later struct{ validate.Compiler }

func (l later) Try(c compiler.Change) diag.List {
	return append(l.Compiler.Try(c), diag.New("MSH1107", diag.Span{File: c.Path}, "it is over"))
}

// Most records end by themselves, and say so in no other way than by their time: backups
// of these are restored by others too.
func TestARecordOfWhatEndedByItselfIsRestored(t *testing.T) {
	s := live(t, map[string][]byte{"shop.yaml": []byte(shop)})
	r := ask(t, "CREATE", lent)
	r.UserInfo.Username = "velero"
	answer := validate.Decide(later{s}, r, false)
	if denied, warned := codesOf(answer); !answer.Allowed || !slices.Contains(warned, "MSH1107") {
		t.Errorf("denied as %v, with the warnings %v", denied, warned)
	}
}
