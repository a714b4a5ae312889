package live_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/gitops/live"
)

func nobody(context.Context, live.Reference) (*bundle.Bundle, diag.List, error) {
	return nil, nil, errors.New("nobody answers")
}

// A Mesh that names a bundle which cannot be had stays served as it was, suspended or not.
// What was lent ends in that too: by itself, early, and as it is deleted. Else whoever may
// write the Mesh, or stop a registry, could keep it open.
func TestWhatWasLentEndsWhileABundleCannotBeHad(t *testing.T) {
	c := newCluster(t)
	c.apply(controlPlane + town)
	var at clock
	l := c.watch(live.Options{Namespace: "meshc-system", Clock: at.now, Open: nobody})
	c.report(l, "one")
	for _, name := range []string{"over", "early", "deleted"} {
		c.apply(glass(name))
		until(t, l, name+" is open", lends(name))
	}
	mesh := town[:strings.Index(town, "\n---")]
	elsewhere := func(spec string) { c.apply(strings.Replace(mesh, "{mode: strict}", spec, 1)) }
	elsewhere("{bundle: {oci: 'registry.example/town:v1'}}")
	c.conditionOf(mesh, "Ready", "the bundle cannot be had", func(_, _, message string) bool { return strings.Contains(message, "nobody answers") })
	c.apply(strings.Replace(glass("early"), "by: admin", "by: admin, endedBy: admin", 1))
	until(t, l, "what was ended early is over", not(lends("early")))
	if _, _, err := l.Fetch(t.Context()); err == nil || !strings.Contains(err.Error(), "nobody answers") {
		t.Errorf("what is left of a held bundle passes for the newest: %v", err)
	}
	c.Do(http.MethodDelete, "/apis/meshc.dev/v1alpha1/namespaces/town/breakglasses/deleted", nil)
	until(t, l, "what was deleted is over", not(lends("deleted")))
	elsewhere("{suspend: true, bundle: {oci: 'registry.example/town:v1'}}")
	c.until("it is suspended as well", func() error {
		if !l.Suspended() {
			return errors.New("it is not")
		}
		return nil
	})
	at.forward(time.Hour)
	if b := until(t, l, "what ended by itself is over", not(lends("over"))); matches(b.Mesh) != 1 {
		t.Errorf("more than that went: %v", b.Mesh.Grants)
	}
	if _, _, err := l.Fetch(t.Context()); err != nil {
		t.Errorf("who suspends the Mesh wants no other, and is told %v", err)
	}
	c.stateOf("over", "Ended")
}

// A replica that starts anew then serves what it kept, and ends in it what is over.
func TestWhatWasLentEndsInWhatWasKeptWhileABundleCannotBeHad(t *testing.T) {
	c := newCluster(t)
	c.apply(town)
	c.apply(glass("over"))
	c.apply(glass("early"))
	l := c.watch(live.Options{Open: nobody})
	before := until(t, l, "both are open", func(m *ir.Mesh) bool { return lends("over")(m) && lends("early")(m) })
	l.Close()
	mesh := town[:strings.Index(town, "\n---")]
	c.apply(strings.Replace(mesh, "{mode: strict}", "{bundle: {oci: 'registry.example/town:v1'}}", 1))
	c.apply(strings.Replace(glass("early"), "by: admin", "by: admin, endedBy: admin", 1))

	var at clock
	l = c.watch(live.Options{Open: nobody, Kept: before, Clock: at.now})
	b := until(t, l, "what was ended meanwhile is over", not(lends("early")))
	if !lends("over")(b.Mesh) {
		t.Error("what is still open was taken away")
	}
	at.forward(time.Hour)
	until(t, l, "and so is what ended by itself", not(lends("over")))
}
