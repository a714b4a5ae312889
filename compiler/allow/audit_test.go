package allow_test

import (
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler/allow"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/test/fuzz/guard"
)

const line = `{"meshc":"http","side":"inbound","peer":"spiffe://cluster.local/ns/shop/sa/web","port":"shop/api:80","method":"GET","path":"PATH","shadow_result":"RESULT"}` + "\n"

func logOf(result string, paths ...string) string {
	out := ""
	for _, p := range paths {
		out += strings.NewReplacer("PATH", p, "RESULT", result).Replace(line)
	}
	return out
}

// A log is grouped by caller, service, method and pattern; an expression is wider
// than what was seen only where paths differ, and says so.
func TestReadAudit(t *testing.T) {
	text := logOf("denied", "/orders/12?x=1", "/orders/12", "/orders/99/lines", "/v1.2", "/orders/777") + logOf("allowed", "/fine") +
		"[2026-01-01][info] starting {} up\n" + "pod/api-0 " + logOf("denied", "/orders/5") +
		`{"meshc":"http","side":"inb` + "\n" +
		`{"meshc":"tcp","side":"inbound","peer":"spiffe://cluster.local/ns/shop/sa/web","port":"shop/db:5432","shadow_result":"denied"}` + "\n" +
		`{"meshc":"http","side":"inbound","peer":"","port":"shop/api:80","method":"GET","path":"/","shadow_result":"denied"}`
	got, found, err := allow.ReadAudit(strings.NewReader(text), "log", ir.CompatSMI)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 2 || found[0].At().Line != 9 || found[1].At().Line != 11 {
		t.Errorf("it finds %+v", found)
	}
	if len(got) != 4 {
		t.Fatalf("it proposes %+v", got)
	}
	if p := got[0]; p.Count != 4 || p.Regex != "/orders/[0-9]+$" || !p.Wider || len(p.Paths) != 3 || p.Line != 1 {
		t.Errorf("orders: %+v", p)
	}
	exact := map[string]bool{}
	for _, p := range got[1:] {
		if p.Wider || p.Count != 1 {
			t.Errorf("%+v", p)
		}
		exact[p.Method+p.Regex] = true
	}
	if !exact[`GET/orders/99/lines$`] || !exact[`GET/v1\.2$`] || !exact[""] {
		t.Errorf("it proposes %v", exact)
	}
}

// A file that is no access log is told of as such; one of quiet proxies is not.
func TestALogOfSomethingElseIsTold(t *testing.T) {
	for text, want := range map[string]int{
		"\nstarted\n{\"level\":\"info\"}\n": 2, "": 0, "started\n" + `{"meshc":"http","side":"outbound"}` + "\n": 0, logOf("allowed", "/fine"): 0,
	} {
		got, found, err := allow.ReadAudit(strings.NewReader(text), "log", ir.CompatSMI)
		if err != nil || len(got) != 0 || len(found) != min(want, 1) || want > 0 && (found[0].At().Line != want || !strings.Contains(found[0].Message, "no line is an entry")) {
			t.Errorf("%q: %+v, %+v, %v", text, got, found, err)
		}
	}
}

// What a log proposes lets in what the log tells of, also where audit mode did.
func TestAProposalIsWritten(t *testing.T) {
	config := "apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata: {name: shop}\nspec: {mode: audit}\n"
	tree := source.FromMap(map[string][]byte{"meshc.yaml": []byte(config), "apps.yaml": []byte(apps)})
	got, _, err := allow.ReadAudit(strings.NewReader(logOf("denied", "/orders/1", "/orders/2")), "log", ir.CompatSMI)
	if err != nil || len(got) != 1 {
		t.Fatalf("%v %+v", err, got)
	}
	tree = allowed(t, tree, allow.Question{Request: got[0].Request(), Regex: got[0].Regex})
	if text, _ := tree.Text("apps.yaml"); !strings.Contains(string(text), "matches: [get-orders-any]") {
		t.Errorf("the match is called otherwise:\n%s", text[len(apps):])
	}
	strict := allow.Strict(meaning(t, tree).Mesh)
	for path, want := range map[string]ir.Outcome{"/orders/2": ir.Allow, "/orders/3": ir.Allow, "/orders/x": ir.Deny, "/orders/3/x": ir.Deny} {
		if v := ir.Decide(strict, ask("GET", path)); v.Outcome != want {
			t.Errorf("%s is %s", path, v.Outcome)
		}
	}
	if _, ok := tree.Text("verdicts.yaml"); !ok {
		t.Error("there is no table with a row of it")
	}
}

// A log from elsewhere never ends the reader, and proposes only what it says.
func FuzzReadAudit(f *testing.F) {
	f.Add(logOf("denied", "/a", "/b/1", "/b/2"))
	f.Add(`{"side":"inbound","shadow_result":"denied","peer":"spiffe://a","port":":1"}`)
	f.Fuzz(func(t *testing.T, text string) {
		var got []allow.Proposal
		guard.Run(t, 8<<20+2000*uint64(len(text)), func() {
			var err error
			if got, _, err = allow.ReadAudit(strings.NewReader(text), "log", ir.CompatSMI); err != nil {
				t.Fatal(err)
			}
		})
		for _, p := range got {
			if p.Count < 1 || p.Line < 1 || p.Method != "" && (len(p.Paths) == 0 || p.Regex == "") {
				t.Fatalf("%+v", p)
			}
		}
	})
}
