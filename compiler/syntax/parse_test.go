package syntax_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

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

// Equal trees give equal results whatever the names of files and the order of
// documents: only positions may differ.
func TestOrderOfInputDoesNotShow(t *testing.T) {
	docs := []string{
		"apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n",
		"apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: web, namespace: shop}\n",
		"apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: api, namespace: shop}\n",
		"apiVersion: split.smi-spec.io/v1alpha4\nkind: TrafficSplit\nmetadata: {name: web, namespace: shop}\nspec: {service: web, backends: [{service: a, weight: 1}]}\n",
		"apiVersion: v1\nkind: ConfigMap\n",
		"apiVersion: split.smi-spec.io/v1alpha4\nkind: TrafficSplit\nmetadata: {name: bad, namespace: shop}\nspec: {service: web}\n",
	}
	want := ""
	r := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		r.Shuffle(len(docs), func(i, j int) { docs[i], docs[j] = docs[j], docs[i] })
		cut := r.IntN(len(docs))
		files, found := syntax.Parse(source.FromMap(map[string][]byte{
			"a.yaml": []byte(strings.Join(docs[:cut], "---\n")), "b.yaml": []byte(strings.Join(docs[cut:], "---\n")),
		}))
		got := fmt.Sprintln(files.Passed, len(found))
		for _, o := range files.Objects {
			got += fmt.Sprintln(o.Ref(), o.Invalid)
		}
		if want == "" {
			want = got
		}
		if got != want {
			t.Fatalf("shuffled input reads\n%s\nbefore\n%s", got, want)
		}
	}
}

// Positions may be asked for from many goroutines at once: checks run in parallel.
func TestPositionsAreSafeForParallelUse(t *testing.T) {
	tree, _, err := source.LoadFS(fstest.MapFS{
		"kustomization.yaml": {Data: []byte("namePrefix: x-\nresources: [a.yaml]\n")},
		"a.yaml":             {Data: []byte("apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a, namespace: b}\n")},
	}, source.Options{})
	if err != nil {
		t.Fatal(err)
	}
	files, _ := syntax.Parse(tree)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if at := files.Objects[0].At("metadata", "name"); at.String() != "kustomization.yaml:1:13" {
				t.Errorf("the name stands at %s", at)
			}
		})
	}
	wg.Wait()
}
