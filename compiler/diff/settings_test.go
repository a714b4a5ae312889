package diff

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

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

// A proxy whose identity nobody can check is let on for longer: reviewers of what widens
// must see it, whether it is written or comes with longer lives of leaves.
func TestALongerGraceWidens(t *testing.T) {
	for _, c := range []struct {
		old, now ir.Lifetimes
		want     Effect
	}{
		{ir.Lifetimes{Grace: time.Hour}, ir.Lifetimes{Grace: 2 * time.Hour}, Widened},
		{ir.Lifetimes{Grace: 2 * time.Hour}, ir.Lifetimes{Grace: time.Hour}, Narrowed},
		{ir.Lifetimes{Grace: -1}, ir.Lifetimes{}, Widened},
		{ir.Lifetimes{}, ir.Lifetimes{Grace: -1}, Narrowed},
		{ir.Lifetimes{}, ir.Lifetimes{Grace: 12 * time.Hour}, Changed}, // the same, in writing
		{ir.Lifetimes{}, ir.Lifetimes{Leaf: 48 * time.Hour}, Widened},
		{ir.Lifetimes{Grace: time.Hour}, ir.Lifetimes{Grace: time.Hour, Leaf: 48 * time.Hour}, ""},
	} {
		old, now := town(), town()
		old.Settings.Certificates, now.Settings.Certificates = c.old, c.now
		var got Effect
		for _, change := range Meshes(old, now) {
			if strings.HasPrefix(change.Text, "authGrace ") {
				got = change.Effect
			}
		}
		if got != c.want {
			t.Errorf("%+v to %+v is %q, want %q", c.old, c.now, got, c.want)
		}
	}
}
