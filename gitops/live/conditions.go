package live

import (
	"fmt"
	"slices"
	"strings"

	flux "github.com/fluxcd/pkg/apis/meta"
	"github.com/fluxcd/pkg/runtime/conditions"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
)

// requestedAt is what Flux's users write to have an object looked at now.
const requestedAt = flux.ReconcileRequestAnnotation

// Types of conditions, after Gateway API and kstatus: Stalled is there only while it
// is true.
const (
	accepted   = "Accepted"
	programmed = "Programmed"
	ready      = flux.ReadyCondition
	stalled    = flux.StalledCondition
	active     = "Active"  // of a BreakGlass
	drifted    = "Drifted" // of a Mesh that names a bundle
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
	reasonSuspended    = flux.SuspendedReason
	reasonSucceeded    = flux.ReconciliationSucceededReason
	reasonFailed       = flux.ReconciliationFailedReason
)

// cond is a condition without its times.
type cond struct {
	kind            string
	status          meta.ConditionStatus
	reason, message string
}

// conditionsOf are those of a policy object. digest is that of what is in force, of are
// the identities that the object concerns.
func conditionsOf(s state, p Proxies, of map[ir.Identity]bool, digest string, fromBundle bool) []cond {
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
	if s.over {
		first.message = "it is a record of what is over"
	}
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

// judged is an object with the conditions of the generation that was judged, which may
// not be the newest.
type judged struct {
	*unstructured.Unstructured
	generation int64
	list       []meta.Condition
}

func (j *judged) GetGeneration() int64                { return j.generation }
func (j *judged) GetConditions() []meta.Condition     { return j.list }
func (j *judged) SetConditions(list []meta.Condition) { j.list = list }

// ownOf are the types of conditions that are ours on a kind: others may keep theirs
// beside them.
func ownOf(kind string) []string {
	switch kind {
	case meshKind:
		return []string{accepted, programmed, ready, stalled, drifted}
	case glassKind:
		return []string{accepted, programmed, stalled, active}
	}
	return []string{accepted, programmed, stalled}
}

// written is the list of conditions for a status, and whether it says anything else
// than the object's.
func written(u *unstructured.Unstructured, generation int64, all []cond) ([]meta.Condition, bool) {
	before := conditions.UnstructuredGetter(u).GetConditions()
	j := &judged{u, generation, slices.Clone(before)}
	for _, kind := range ownOf(u.GetKind()) {
		if !slices.ContainsFunc(all, func(c cond) bool { return c.kind == kind }) {
			conditions.Delete(j, kind)
		}
	}
	for _, c := range all {
		conditions.Set(j, &meta.Condition{Type: c.kind, Status: c.status, Reason: c.reason, Message: c.message})
	}
	return j.list, !slices.Equal(byType(before), byType(j.list)) // others may keep them in another order
}

func byType(list []meta.Condition) []meta.Condition {
	return slices.SortedFunc(slices.Values(list), func(a, b meta.Condition) int { return strings.Compare(a.Type, b.Type) })
}

// asSaid leaves the words of conditions that hold already as they are: how many proxies
// there are is said when an object comes into force, and not again whenever another
// replica leads.
func asSaid(u *unstructured.Unstructured, all []cond, generation int64) []cond {
	out := slices.Clone(all)
	for i, c := range out {
		was := conditions.Get(conditions.UnstructuredGetter(u), c.kind)
		if was != nil && was.Status == c.status && was.Reason == c.reason && was.ObservedGeneration == generation && c.reason == reasonAcknowledged {
			out[i].message = was.Message
		}
	}
	return out
}

// vouched tells whether the object's status says that what it says now was in force.
func vouched(u *unstructured.Unstructured) bool {
	c := conditions.Get(conditions.UnstructuredGetter(u), accepted)
	return c != nil && c.Status == meta.ConditionTrue && c.ObservedGeneration == u.GetGeneration()
}
