package ir_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/meshc/meshc/compiler/ir"
)

// A field that the comparison of two meshes forgets would leave what was made of
// it as it was: each one counts.
func TestNoFieldIsForgotten(t *testing.T) {
	everyField(t, ir.SameService)
	everyField(t, ir.SameRole)
	everyField(t, ir.SameInboundPort)
	everyField(t, ir.SameGrant)
	everyField(t, ir.SameMatch)
	everyField(t, ir.SameSplit)
	everyField(t, ir.SameBackend)
}

func everyField[T any](t *testing.T, same func(a, b *T) bool) {
	t.Helper()
	var zero T
	typ := reflect.TypeFor[T]()
	for i := range typ.NumField() {
		changed := zero
		alter(t, reflect.ValueOf(&changed).Elem().Field(i))
		if same(&zero, &changed) || !same(&changed, &changed) {
			t.Errorf("%s: %s is not compared", typ, typ.Field(i).Name)
		}
		again := zero
		alter(t, reflect.ValueOf(&again).Elem().Field(i)) // equal, in another place
		if !same(&changed, &again) {
			t.Errorf("%s: equal values of %s are told apart", typ, typ.Field(i).Name)
		}
	}
}

// alter makes a zero value another one; in a slice, every field of an element.
func alter(t *testing.T, v reflect.Value) {
	t.Helper()
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(time.Unix(1, 0)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint16, reflect.Uint32:
		v.SetUint(1)
	case reflect.Struct:
		for i := range v.NumField() {
			alter(t, v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		alter(t, v.Index(0))
	default:
		t.Fatalf("no other value of a %s is known", v.Type())
	}
}
