package syntax_test

import (
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
)

// An article printed this split with em dashes and a weight that slipped out of
// the list. One run must name all three lines.
func TestArticleSplitNamesEveryLine(t *testing.T) {
	text := `apiVersion: split.smi-spec.io/v1alpha2
kind: TrafficSplit
metadata:
  name: bookstore-split
  namespace: bookstore
spec:
  service: bookstore.bookstore # <root-service>.<namespace>
  backends:
  — service: bookstore-v1
    weight: 0
  — service: bookstore-v2
  weight: 100
`
	_, found := syntax.Parse(source.FromMap(map[string][]byte{"split.yaml": []byte(text)}))
	var got []string
	for _, f := range found {
		got = append(got, string(f.Code)+" "+f.At().String())
	}
	want := "MSH0031 split.yaml:9:3\nMSH0031 split.yaml:11:3\nMSH0101 split.yaml:12:3"
	if strings.Join(got, "\n") != want {
		t.Errorf("findings:\n%s\nwant:\n%s", strings.Join(got, "\n"), want)
	}
	mended := strings.ReplaceAll(strings.ReplaceAll(text, "—", "-"), "  weight: 100", "    weight: 100")
	files, found := syntax.Parse(source.FromMap(map[string][]byte{"split.yaml": []byte(mended)}))
	if len(found) != 0 {
		t.Errorf("the mended split has findings: %v", found)
	}
	if s := files.Objects[0].TrafficSplit; s.Service != "bookstore.bookstore" || s.Backends[1].Weight != 100 {
		t.Errorf("the mended split reads %+v", s)
	}
}
