package patch_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"

	"github.com/meshc/meshc/admission/patch"
)

// apply makes a document of a patch as API servers do: by the library that they have.
func apply(t *testing.T, before any, ops []patch.Operation) any {
	t.Helper()
	doc, err := json.Marshal(before)
	if err != nil {
		t.Fatal(err)
	}
	if len(ops) == 0 {
		return decoded(t, doc)
	}
	text, err := patch.Write(ops)
	if err != nil {
		t.Fatal(err)
	}
	p, err := jsonpatch.DecodePatch(text)
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.Apply(doc)
	if err != nil {
		t.Fatalf("%s\non %s: %v", text, doc, err)
	}
	return decoded(t, out)
}

func decoded(t *testing.T, text []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// random is a document with few keys and names, so that two of them have much in common.
func random(r *rand.Rand, depth int) any {
	kind := r.IntN(8)
	if depth == 0 {
		kind %= 4
	}
	switch kind {
	case 0:
		return float64(r.IntN(4))
	case 1:
		return []any{nil, true, false}[r.IntN(3)]
	case 2, 3:
		return []string{"", "a", "<b>", "~", "/", "é"}[r.IntN(6)]
	case 4, 5:
		list := []any{}
		for range r.IntN(5) {
			list = append(list, random(r, depth-1))
		}
		return list
	}
	o := map[string]any{}
	for range r.IntN(5) {
		o[[]string{"name", "", "a/b", "a~b", "c", "~1", "0", "-"}[r.IntN(8)]] = random(r, depth-1)
	}
	return o
}

// changed is the document with a few places in it made anew.
func changed(r *rand.Rand, v any, depth int) any {
	if depth == 0 || r.IntN(12) == 0 {
		return random(r, 2)
	}
	switch v := v.(type) {
	case map[string]any:
		o := map[string]any{}
		for k, e := range v {
			if r.IntN(10) > 0 {
				o[k] = changed(r, e, depth-1)
			}
		}
		return o
	case []any:
		list := []any{}
		for _, e := range v {
			switch r.IntN(6) {
			case 0:
			case 1:
				list = append(list, random(r, 2), e)
			default:
				list = append(list, changed(r, e, depth-1))
			}
		}
		r.Shuffle(min(len(list), r.IntN(3)), func(i, j int) { list[i], list[j] = list[j], list[i] })
		return list
	}
	return v
}

// Whatever two documents are, an API server makes the one of the other. The document
// itself is an object, as every one of Kubernetes is.
func TestPatchMakesTheOneOfTheOther(t *testing.T) {
	for seed := range uint64(4_000) {
		r := rand.New(rand.NewPCG(seed, 1))
		before := map[string]any{"x": random(r, 4)}
		after := map[string]any{"x": changed(r, before["x"], 4)}
		ops := patch.Between(before, after)
		if got := apply(t, before, ops); !reflect.DeepEqual(got, any(after)) {
			t.Fatalf("seed %d: %v\nbecame %v\nand not %v\nby %v", seed, before, got, after, ops)
		}
		if reflect.DeepEqual(before, after) != (len(ops) == 0) {
			t.Fatalf("seed %d: %d operations for %v and %v", seed, len(ops), before, after)
		}
	}
}

// A patch that replaces what stays would undo what another webhook does to it.
func TestPatchTouchesOnlyWhatDiffers(t *testing.T) {
	for _, c := range []struct{ before, after, want string }{
		{`{"a":[{"name":"x","v":1}]}`, `{"a":[{"name":"w"},{"name":"x","v":1}]}`, `[{"op":"add","path":"/a/0","value":{"name":"w"}}]`},
		{`{"a":[{"name":"x","v":1}]}`, `{"a":[{"name":"x","v":2}]}`, `[{"op":"replace","path":"/a/0/v","value":2}]`},
		{`{"a":[1,2,3]}`, `{"a":[1,3]}`, `[{"op":"remove","path":"/a/1"}]`},
		{`{"a/b":{"~":"<"}}`, `{"a/b":{"~":"<&>"}}`, `[{"op":"replace","path":"/a~1b/~0","value":"<&>"}]`},
		{`{"a":1}`, `{"a":null}`, `[{"op":"replace","path":"/a","value":null}]`},
		{`{"a":1}`, `{"a":1}`, `[]`},
	} {
		got, err := patch.Write(patch.Between(decoded(t, []byte(c.before)), decoded(t, []byte(c.after))))
		if err != nil || string(got) != c.want {
			t.Errorf("%s to %s: %s (%v), want %s", c.before, c.after, got, err, c.want)
		}
	}
}

// A list of a size that nobody writes costs bounded time.
func TestLongListsAreReplaced(t *testing.T) {
	var before, after []any
	for i := range 2000 {
		before, after = append(before, fmt.Sprint("b", i)), append(after, fmt.Sprint("a", i))
	}
	ops := patch.Between(map[string]any{"l": before}, map[string]any{"l": after})
	if len(ops) != 1 || ops[0].Op != "replace" {
		t.Errorf("%d operations", len(ops))
	}
}

// Numbers that were decoded in different ways, or written in code, are the same.
func TestNumbersOfAllKindsAreNumbers(t *testing.T) {
	for _, one := range []any{1, int64(1), 1.0, json.Number("1")} {
		for _, other := range []any{1, int64(1), 1.0, json.Number("1")} {
			if ops := patch.Between(map[string]any{"a": one}, map[string]any{"a": other}); len(ops) > 0 {
				t.Errorf("%T and %T: %v", one, other, ops)
			}
		}
		for _, other := range []any{2, int64(2), 1.5, json.Number("9007199254740993"), "1", nil, true} {
			if ops := patch.Between(map[string]any{"a": one}, map[string]any{"a": other}); len(ops) != 1 {
				t.Errorf("%T %v and %T %v: %v", one, one, other, other, ops)
			}
		}
	}
}
