package live

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
)

// requestedAt is what Flux's users write to have an object looked at now.
const requestedAt = "reconcile.fluxcd.io/requestedAt"

// Types of conditions, after Gateway API and kstatus: Stalled is there only while it
// is true.
const (
	accepted   = "Accepted"
	programmed = "Programmed"
	ready      = "Ready"
	stalled    = "Stalled"
)

// Reasons of conditions.
const (
	reasonAccepted     = "Accepted"
	reasonWarnings     = "AcceptedWithWarnings"
	reasonInvalid      = "Invalid"
	reasonStale        = "LastAcceptedInForce"
	reasonAcknowledged = "Acknowledged"
	reasonPending      = "Pending"
	reasonBundle       = "BundleSource"
	reasonSuspended    = "Suspended"
	reasonSucceeded    = "ReconciliationSucceeded"
	reasonFailed       = "ReconciliationFailed"
)

// cond is a condition without its times.
type cond struct{ kind, status, reason, message string }

// conditions are those of a policy object. digest is that of what is in force, of are
// the identities that the object concerns.
func conditions(s state, p Proxies, of map[ir.Identity]bool, digest string, fromBundle bool) []cond {
	if fromBundle {
		return []cond{
			{accepted, "True", reasonAccepted, "the object can be read"},
			{programmed, "False", reasonBundle, "the mesh is served from a bundle (spec.bundle of its Mesh): objects in the cluster are not in force"},
		}
	}
	if s.refused {
		effect := "it grants nothing"
		reason := reasonInvalid
		if s.stale {
			effect, reason = "its last accepted form stays in force", reasonStale
		}
		text := brief(s.found)
		return []cond{
			{accepted, "False", reasonInvalid, text + "; " + effect},
			{programmed, "False", reason, effect},
			{stalled, "True", reasonInvalid, text},
		}
	}
	first := cond{accepted, "True", reasonAccepted, "it is in force"}
	if len(s.found) > 0 {
		first.reason, first.message = reasonWarnings, brief(s.found)
	}
	second := cond{programmed, "Unknown", reasonPending, "proxies are being told"}
	if p.silent > 0 {
		second.message = fmt.Sprintf("%d of the control plane's replicas did not say yet to serve it", p.silent)
	}
	if n := p.count(of); p.Digest == digest && p.silent == 0 && n.Acknowledged == n.Connected {
		second = cond{programmed, "True", reasonAcknowledged, n.String()}
	}
	return []cond{first, second}
}

// mostFindings bounds a condition's message.
const mostFindings = 5

// brief are findings in a line: code, place, what and what it does.
func brief(found diag.List) string {
	var out []string
	for i, f := range found {
		if i == mostFindings {
			out = append(out, fmt.Sprintf("and %d more", len(found)-i))
			break
		}
		out = append(out, line(f))
	}
	return strings.Join(out, "; ")
}

func line(f diag.Finding) string {
	text := fmt.Sprintf("[%s] %s", f.Code, f.Message)
	if f.Path != "" {
		text += " (" + f.Path + ")"
	}
	if f.Effect != "" {
		text += ", so " + f.Effect
	}
	return text
}

// written is the list of conditions for a status: each with the generation it is of,
// and the time at which it last turned.
func written(u *unstructured.Unstructured, generation int64, now time.Time, all []cond) ([]any, bool) {
	before, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
	changed := len(before) != len(all)
	var out []any
	for _, c := range all {
		next := map[string]any{
			"type": c.kind, "status": c.status, "reason": c.reason, "message": c.message,
			"observedGeneration": generation, "lastTransitionTime": now.UTC().Format(time.RFC3339),
		}
		old := condition(u, c.kind)
		if old["status"] == c.status {
			next["lastTransitionTime"] = old["lastTransitionTime"]
		}
		for _, field := range []string{"status", "reason", "message", "observedGeneration"} {
			changed = changed || old[field] != next[field]
		}
		out = append(out, next)
	}
	return out, changed
}

// condition finds one of an object's conditions.
func condition(u *unstructured.Unstructured, kind string) map[string]any {
	all, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
	for _, c := range all {
		if c, ok := c.(map[string]any); ok && c["type"] == kind {
			return c
		}
	}
	return nil
}

// vouched tells whether the object's status says that what it says now was in force.
func vouched(u *unstructured.Unstructured) bool {
	c := condition(u, accepted)
	generation, _ := c["observedGeneration"].(int64)
	return c["status"] == "True" && generation == u.GetGeneration()
}
