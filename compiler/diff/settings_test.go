package diff

import (
	"net/netip"
	"reflect"
	"testing"

	"github.com/meshc/meshc/compiler/ir"
)

// Whatever setting a change touches, it is told: "no change" is true.
func TestEverySettingIsCompared(t *testing.T) {
	var leaves func(typ reflect.Type, at []int, f func(name string, at []int))
	leaves = func(typ reflect.Type, at []int, f func(name string, at []int)) {
		for i := range typ.NumField() {
			own := append(at[:len(at):len(at)], i)
			if field := typ.Field(i); field.Type.Kind() == reflect.Struct {
				leaves(field.Type, own, f)
			} else {
				f(field.Name, own)
			}
		}
	}
	leaves(reflect.TypeFor[ir.Settings](), nil, func(name string, at []int) {
		old, now := town(), town()
		switch v := reflect.ValueOf(&now.Settings).Elem().FieldByIndex(at); v.Kind() {
		case reflect.String:
			v.SetString("other")
		case reflect.Bool:
			v.SetBool(!v.Bool())
		case reflect.Int64:
			v.SetInt(v.Int() + 1e9)
		default:
			v.Set(reflect.ValueOf([]netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}))
		}
		if len(Meshes(old, now)) == 0 {
			t.Errorf("nothing is told of a change of %s", name)
		}
	})
}
