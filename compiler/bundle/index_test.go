package bundle

import (
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/compiler/ir"
)

// fillAll puts a value other than zero into every field there is.
func fillAll(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fillAll(v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fillAll(v.Index(0))
		fillAll(v.Index(1))
	case reflect.String:
		v.SetString("some " + v.Type().Name())
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(1)
	case reflect.Uint16:
		v.SetUint(1)
	}
}

// A field of the plan or of an origin that the index forgets would be lost
// between the build and the server.
func TestNoFieldIsForgotten(t *testing.T) {
	var plan ir.Plan
	fillAll(reflect.ValueOf(&plan).Elem())
	plan.Resources = nil // these lie in the pack
	entries := []entry{{Type: "a", Name: "b", Offset: 1, Length: 2, Digest: [32]byte{3}}, {Name: "c"}}
	read, readEntries, fault := decodeIndex(encodeIndex(entries, &plan))
	if fault != nil {
		t.Fatalf("at offset %d: %s", fault.offset, fault.reason)
	}
	if d := cmp.Diff(&plan, read); d != "" {
		t.Errorf("plan (wrote, read):\n%s", d)
	}
	if !reflect.DeepEqual(entries, readEntries) {
		t.Errorf("entries: wrote %v, read %v", entries, readEntries)
	}
	var origin ir.Origin
	fillAll(reflect.ValueOf(&origin).Elem())
	in := sample(1)
	in.Mesh.Origins["x"] = origin
	b, findings := FromFiles(packed(t, in).Files())
	if len(findings) > 0 || b.Mesh.Origins["x"] != origin {
		t.Errorf("origin: wrote %v, read %v", origin, b.Mesh.Origins["x"])
	}
}
