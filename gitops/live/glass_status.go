package live

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// What status.state of a BreakGlass says.
const (
	glassActive     = "Active"     // it is in what is served
	glassEnded      = "Ended"      // it was, or was to be, and is not any more
	glassRefused    = "Refused"    // it has an error
	glassNotInForce = "NotInForce" // nothing is wrong with it, and it opens nothing
)

// Reasons of the condition Active.
const (
	reasonOpen       = "Open"
	reasonTimeIsOver = "TimeIsOver"
	reasonEndedEarly = "EndedEarly"
	reasonClosing    = "Closing"
	reasonNothing    = "OpensNothing"
)

// servesGlass tells whether a bundle has what a BreakGlass opens.
func servesGlass(b *bundle.Bundle, name syntax.Name) bool {
	return b != nil && slices.ContainsFunc(b.Mesh.Grants, func(g ir.Grant) bool { return g.Name == pathOf(name) })
}

// glassState is what becomes of a BreakGlass, by what is served and not by what is
// meant to be.
func glassState(name syntax.Name, u *unstructured.Unstructured, s state, v view) (string, cond) {
	served := servesGlass(v.bundle, name)
	by, _, _ := unstructured.NestedString(u.Object, "spec", "endedBy")
	switch {
	case served && s.over:
		return glassActive, cond{active, "True", reasonClosing, "it is over, and is being taken away"}
	case served:
		return glassActive, cond{active, "True", reasonOpen, "open until " + endOf(u).UTC().Format(time.RFC3339)}
	case s.over && by != "":
		return glassEnded, cond{active, "False", reasonEndedEarly, by + " ended it"}
	case s.over:
		return glassEnded, cond{active, "False", reasonTimeIsOver, "its time is over"}
	case s.refused:
		return glassRefused, cond{active, "False", reasonInvalid, brief(s.found)}
	case v.fromBundle:
		return glassNotInForce, cond{active, "False", reasonBundle, "the mesh is served from a bundle (spec.bundle of its Mesh): nothing is laid over it"}
	case v.suspended:
		return glassNotInForce, cond{active, "False", reasonSuspended, "the Mesh is suspended: nothing new comes in force"}
	}
	return glassNotInForce, cond{active, "False", reasonNothing, brief(s.found)}
}

// describeGlass puts into the status of a BreakGlass what became of it. The answer is
// what is to be told in an event: it has begun, or it has ended.
func (w *writer) describeGlass(status map[string]any, u *unstructured.Unstructured, is string) (news string) {
	before, _, _ := unstructured.NestedString(u.Object, "status", "state")
	status["state"] = is
	now := w.Live.endings.now().UTC().Format(time.RFC3339)
	for field, state := range map[string]string{"beganAt": glassActive, "endedAt": glassEnded} {
		if at, _, _ := unstructured.NestedString(u.Object, "status", field); at == "" && is == state {
			status[field] = now
		}
	}
	if is != before && (is == glassActive || is == glassEnded) {
		return is
	}
	return ""
}

// tellGlass tells of a beginning or an end, once, whoever leads: its name is of the two.
func (w *writer) tellGlass(ctx context.Context, u *unstructured.Unstructured, is string) error {
	get := func(field string) string {
		s, _, _ := unstructured.NestedString(u.Object, "spec", field)
		return s
	}
	kind, reason := "Warning", "BreakGlassBegan"
	note := fmt.Sprintf("%s may call %s until %s: opened by %s: %s", get("from"), get("to"), get("until"), get("by"), get("reason"))
	if is == glassEnded {
		kind, reason = "Normal", "BreakGlassEnded"
		note = fmt.Sprintf("what let %s call %s is over", get("from"), get("to"))
		if by := get("endedBy"); by != "" {
			note += ": ended by " + by
		}
	}
	err := w.eventNamed(ctx, u, nameOf(u, strings.ToLower(string(u.GetUID())+"."+is)), kind, reason, note)
	if apierrors.IsAlreadyExists(err) || apierrors.IsForbidden(err) || apierrors.IsNotFound(err) {
		return nil // who led before told it; a namespace that ends takes none
	}
	return err
}

// ofGlass adds who calls, and who answers behind the service, whether it is open or was.
func (l *Live) ofGlass(out map[ir.Identity]bool, name syntax.Name, b *bundle.Bundle) {
	u := l.stored(name)
	if u == nil {
		return
	}
	from, _, _ := unstructured.NestedString(u.Object, "spec", "from")
	to, _, _ := unstructured.NestedString(u.Object, "spec", "to")
	if id, ok := ir.ParseIdentity(b.Mesh.Settings.TrustDomain, from); ok {
		out[id] = true
	}
	service, _, _ := strings.Cut(to, ":")
	ns, svc, _ := strings.Cut(service, "/")
	services := []ir.ServiceID{{Namespace: ns, Name: svc}}
	for i := range b.Mesh.Splits {
		if s := &b.Mesh.Splits[i]; s.Root == services[0] {
			for _, leaf := range s.Backends {
				services = append(services, leaf.Service)
			}
		}
	}
	for _, id := range services {
		if s, ok := b.Mesh.Service(id); ok {
			for _, account := range s.Accounts {
				out[account] = true
			}
		}
	}
}
