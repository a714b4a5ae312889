package syntax_test

import (
	"testing"

	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
)

// The nodes of a list that holds nothing else that is read stay those of its table:
// what is written into a table goes by them.
func TestATableInAListKeepsItsNodes(t *testing.T) {
	files, found := syntax.Parse(source.FromMap(map[string][]byte{"all.yaml": []byte(`apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: ConfigMap
- apiVersion: meshc.dev/v1alpha1
  kind: VerdictTable
  metadata:
    name: shop
  spec:
    cases:
    - from: shop/web
      to: shop/api:80
      http: {method: GET, path: /}
      expect: deny
`)}))
	if len(found) != 0 || len(files.Tables) != 1 {
		t.Fatalf("%d tables, found %v", len(files.Tables), found)
	}
	o := files.Tables[0].Object
	if at := o.At("spec", "cases", 0, "expect"); at.Line != 15 || at.Col != 15 {
		t.Errorf("the verdict stands at %s", at)
	}
	if got, _, _ := source.Find(o.Document(), []any{"kind"}); got.Value != "VerdictTable" {
		t.Errorf("its kind reads %q", got.Value)
	}
}

// What rules said of an object holds where it only stands on another line.
func TestAnObjectBelowAnEditOnlyMoves(t *testing.T) {
	const account = "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: NAME\n  namespace: shop\n"
	const second = "---\napiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: api\n  namespace: shop\n"
	s := syntax.NewSession()
	load := func(first string) *syntax.Object {
		s.Read(source.FromMap(map[string][]byte{"a.yaml": []byte(first + second)}))
		for _, o := range s.Files().Objects {
			if o.Name == "api" {
				return o
			}
		}
		t.Fatal("it is gone")
		return nil
	}
	before := load(account)
	if now := load("# a line more\n" + account); now == before || !now.Moved(before) || now.At().Line != before.At().Line+1 {
		t.Errorf("%s is not what moved from %s", now.At(), before.At())
	}
}
