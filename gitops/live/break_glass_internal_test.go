package live

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/policies"
)

var noon = time.Date(2027, 1, 31, 12, 0, 0, 0, time.UTC)

// lending is a BreakGlass of the square that ends so long after noon.
func lending(name string, after time.Duration) string {
	return strings.NewReplacer("NAME", name, "UNTIL", noon.Add(after).Format(time.RFC3339)).Replace(`apiVersion: meshc.dev/v1alpha1
kind: BreakGlass
metadata: {name: NAME, namespace: square}
spec: {from: square/default, to: square/cart, reason: INC-1, by: alice, until: "UNTIL"}`)
}

func namesOf(grants []ir.Grant) string {
	var out []string
	for _, g := range grants {
		out = append(out, g.Name)
	}
	return strings.Join(out, " ")
}

// A control plane that restarts while the API server is away serves what it kept. What
// was lent ends in that too, each in its time, and the policy stays.
func TestWhatWasLentEndsInWhatWasKept(t *testing.T) {
	tree := source.FromMap(map[string][]byte{"square.yaml": []byte(square + "\n---\n" + lending("first", time.Hour) + "\n---\n" + lending("second", 2*time.Hour))})
	result, found := compiler.Compile(tree, ir.Known{}, compiler.Options{Stage: policies.Live, NoRules: true})
	if result.Plan == nil {
		t.Fatal(found)
	}
	b, err := bundle.Pack(bundle.Input{Mesh: result.Mesh, Plan: result.Plan})
	if err != nil {
		t.Fatal(err)
	}
	const policy = "TrafficTarget/square/shoppers#rule0"
	at := noon
	over := func(g *ir.Grant) bool { return !at.Before(g.Until) }
	k := &kept{bundle: b}
	if b, err := k.fetch(over); b != nil || err != nil {
		t.Errorf("nothing has ended, and it gives %v, %v", b, err)
	}
	for _, c := range []struct {
		after      time.Duration
		due, later bool
		grants     string
	}{
		{time.Hour - time.Second, false, true, ""},
		{time.Hour, true, true, "BreakGlass/square/second " + policy},
		{2 * time.Hour, true, true, policy},
		{3 * time.Hour, false, false, policy},
	} {
		at = noon.Add(c.after)
		if due, later := k.due(over); due != c.due || later != c.later {
			t.Errorf("after %s it is due %v, and later %v", c.after, due, later)
		}
		b, err := k.fetch(over)
		if err != nil {
			t.Fatal(err)
		}
		if is := ""; b == nil && c.grants != is || b != nil && namesOf(b.Mesh.Grants) != c.grants {
			t.Errorf("after %s it gives %+v", c.after, b)
		}
	}
}

// Clocks go back, too: what was over once stays over.
func TestWhatIsOverStaysOver(t *testing.T) {
	at := noon
	e := newEndings(func() time.Time { return at })
	name := syntax.Name{Kind: glassKind, Namespace: "square", Name: "now"}
	u := &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"uid": "1"}, "spec": map[string]any{"until": noon.Add(time.Minute).Format(time.RFC3339)},
	}}
	if e.judge(name, u) || len(e.due()) > 0 || !e.next().Equal(noon.Add(lookAgain)) {
		t.Error("it is over before its time")
	}
	if at = noon.Add(time.Minute); len(e.due()) != 1 || !e.judge(name, u) {
		t.Error("it is not over at its time")
	}
	if at = noon; !e.judge(name, u) || !e.next().IsZero() {
		t.Error("it is open again as the clock goes back")
	}
	other := u.DeepCopy()
	other.SetUID("2")
	if e.judge(name, other) {
		t.Error("another object of the same name is taken for the one that is over")
	}
	if e.judge(name, nil); len(e.open)+len(e.over) > 0 {
		t.Errorf("what is gone is remembered for ever: %v %v", e.open, e.over)
	}
	for _, until := range []any{nil, "soon", 5} {
		bad := &unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"uid": "3"}, "spec": map[string]any{"until": until}}}
		if !e.judge(name, bad) {
			t.Errorf("until %v counts for never", until)
		}
	}
}

// While a mesh is suspended an end that closes nothing, of what was refused, is not looked
// for again and again.
func TestAnEndThatClosesNothingComesOnce(t *testing.T) {
	at := noon
	l := &Live{policy: newPolicy("town", compiler.Options{}), endings: newEndings(func() time.Time { return at }), dirty: newDirty()}
	name := syntax.Name{Kind: glassKind, Namespace: "square", Name: "now"}
	u := &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"uid": "1"}, "spec": map[string]any{"until": noon.Add(time.Minute).Format(time.RFC3339)},
	}}
	l.endings.judge(name, u)
	at = noon.Add(time.Minute)
	if d := l.takeClosed(); len(d.objects) != 0 || !l.endings.next().IsZero() || l.dirty.objects[name] == nil {
		t.Errorf("it takes %v, looks again at %s, and leaves %v for later", d.objects, l.endings.next(), l.dirty.objects)
	}
}

// While a mesh is suspended, one that is deleted and made again between two looks is two:
// what the first lent is given back, and what the second asks for waits as all else does.
func TestOneThatIsMadeAgainKeepsNothingOpen(t *testing.T) {
	name := syntax.Name{Kind: glassKind, Namespace: "square", Name: "now"}
	of := func(uid string, after time.Duration) *unstructured.Unstructured {
		u := &unstructured.Unstructured{}
		data, err := yaml.YAMLToJSON([]byte(lending("now", after)))
		if err == nil {
			err = u.UnmarshalJSON(data)
		}
		if err != nil {
			t.Fatal(err)
		}
		u.SetUID(types.UID(uid))
		return u
	}
	first, longer, again := of("1", time.Hour), of("1", 2*time.Hour), of("2", time.Hour)
	l := &Live{policy: newPolicy("town", compiler.Options{}), endings: newEndings(func() time.Time { return noon }), dirty: newDirty()}
	l.endings.judge(name, first)
	l.policy.at(name).forced = []byte("{}") // it is in force
	l.dirty.objects[name] = longer
	if d := l.takeClosed(); len(d.objects) != 0 {
		t.Errorf("the same that says another end is taken for over: %v", d.objects)
	}
	l.dirty.objects[name] = again
	d := l.takeClosed()
	if gone, taken := d.objects[name]; !taken || gone != nil || l.dirty.objects[name] != again {
		t.Fatalf("it takes %v, and leaves %v for later", d.objects, l.dirty.objects)
	}
	l.policy.at(name).forced = nil // that was compiled
	if d := l.takeClosed(); len(d.objects) != 0 || l.dirty.objects[name] != again {
		t.Errorf("of what waits it takes %v, and leaves %v", d.objects, l.dirty.objects)
	}
}

// Where changes never end, as somebody may see to, what is lent ends in time all the same.
func TestAnEndIsTakenBeforeOtherChanges(t *testing.T) {
	at := noon
	l := &Live{policy: newPolicy("town", compiler.Options{}), endings: newEndings(func() time.Time { return at }), dirty: newDirty()}
	name := syntax.Name{Kind: glassKind, Namespace: "square", Name: "now"}
	l.endings.judge(name, &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"uid": "1"}, "spec": map[string]any{"until": noon.Add(time.Minute).Format(time.RFC3339)},
	}})
	l.dirty.spaces["busy"] = true
	if d := l.takeNext(); len(d.objects) != 0 || !d.spaces["busy"] {
		t.Errorf("before its time it takes %v", d)
	}
	l.dirty.spaces["busy"] = true
	at = noon.Add(time.Minute)
	if d := l.takeNext(); d.objects[name] == nil || len(d.spaces) != 0 {
		t.Errorf("at its time it takes %v", d)
	}
}
