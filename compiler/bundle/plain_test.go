package bundle

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"testing"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
)

// A type that gets a field which its plain reader does not know is still read, but
// slowly: a bundle would take twice as long to load.
func TestWhatPackWritesIsPlain(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		mesh, list := &ir.Mesh{}, make(diag.List, random.IntN(3))
		randomise(random, reflect.ValueOf(mesh).Elem())
		randomise(random, reflect.ValueOf(&list).Elem())
		for i := range list {
			list[i].Locations = append(list[i].Locations, diag.Location{Span: diag.Span{File: "a"}})
		}
		meshFile, err := encodeMesh(mesh)
		if err != nil {
			t.Fatal(err)
		}
		findingsFile, err := encodeFindings(list)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := plainMesh(meshFile); !ok {
			t.Fatalf("declined:\n%s", meshFile)
		}
		if _, ok := plainFindings(findingsFile); !ok {
			t.Fatalf("declined:\n%s", findingsFile)
		}
		samePlain(t, meshFile)
		samePlain(t, findingsFile)
	}
}

// FuzzPlain: what a plain reader takes is what encoding/json makes of the same bytes.
func FuzzPlain(f *testing.F) {
	good := packed(f, tiny())
	f.Add(good.files[IRFile])
	f.Add(good.files[FindingsFile])
	f.Add([]byte("{\"findings\": [\n{\"severity\":\"info\"},\n]}\n"))
	for _, value := range hostileValues {
		f.Add(fmt.Appendf(nil, `{"settings":{"name":%s}}`+"\n", value))
		f.Add(fmt.Appendf(nil, `{"settings":{"tcpDrain":%s}}`+"\n", value))
		f.Add(fmt.Appendf(nil, `{"identities":[%s]}`+"\n", value))
		f.Add(fmt.Appendf(nil, `{"identities":%s}`+"\n", value))
		f.Add(fmt.Appendf(nil, "{\"findings\": [\n{\"severity\":\"info\",\"title\":%s}\n]}\n", value))
		f.Add(fmt.Appendf(nil, "{\"findings\": [\n{\"severity\":\"info\",\"locations\":[{\"file\":\"a\",\"line\":%s}]}\n]}\n", value))
	}
	f.Fuzz(func(t *testing.T, content []byte) { samePlain(t, content) })
}

var hostileValues = []string{
	`"\u003c\ud83d\ude00"`, `"\ud83d"`, "\"\xff\"", `"\x"`, "\"\n\"", `"a\"b\\c"`, `"\`, `"`, `null`, `[]`, `[null]`, `{}`,
	`0`, `-0`, `01`, `1e3`, `1.0`, `-`, `9223372036854775807`, `9223372036854775808`, `123456789012345678`, `true`, `tru`,
	`"a","b"`, `"a",`, `1,"Mode":"x"`, `"a","name":"b"`, `"a"}}` + "\n" + `{"x":{"y":1`,
}

// samePlain holds both plain readers against encoding/json.
func samePlain(t *testing.T, content []byte) {
	t.Helper()
	if got, ok := plainMesh(content); ok {
		want := &ir.Mesh{}
		if err := json.Unmarshal(content, want); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: got %+v, encoding/json %+v, %v", content, got, want, err)
		}
	}
	if got, ok := plainFindings(content); ok {
		var want struct {
			Findings []storedFinding `json:"findings"`
		}
		if err := json.Unmarshal(content, &want); err != nil || !reflect.DeepEqual(got, want.Findings) {
			t.Fatalf("%q: got %+v, encoding/json %+v, %v", content, got, want.Findings, err)
		}
	}
}

var texts = []string{"", "a", "svc-1", `say "no"`, `a\b`, "<&>", "naïve →", "tab\there", "\x00", "\xff", "\u2028"}

// randomise gives a value random content: every field of every type has some, now and then.
func randomise(r *rand.Rand, v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(texts[r.IntN(len(texts))])
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Int, reflect.Int64:
		v.SetInt([]int64{0, -1, 7, 1e12, math.MinInt32}[r.IntN(5)])
	case reflect.Uint8:
		v.SetUint(r.Uint64N(3))
	case reflect.Uint16, reflect.Uint32:
		v.SetUint([]uint64{0, 80, math.MaxUint16}[r.IntN(3)])
	case reflect.Pointer:
		if r.IntN(2) == 0 {
			v.Set(reflect.New(v.Type().Elem()))
			randomise(r, v.Elem())
		}
	case reflect.Slice:
		n := r.IntN(4)
		if n == 3 {
			return // none at all
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			randomise(r, v.Index(i))
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[netip.Prefix]() {
			v.Set(reflect.ValueOf(netip.MustParsePrefix("10.1.0.0/16")))
		}
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				randomise(r, v.Field(i))
			}
		}
	}
}
