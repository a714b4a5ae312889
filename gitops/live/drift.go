package live

import (
	"context"
	"fmt"

	"github.com/fluxcd/pkg/runtime/conditions"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/meshc/meshc/compiler/diag"
)

// Reasons of the condition Drifted.
const (
	reasonDrift = "NotAsCompiled"
	reasonSame  = "AsCompiled"
)

// drift tells of a Mesh that names a bundle what runs otherwise than the bundle was
// compiled: in its status and, as it changes, in an event. What is compiled of the
// cluster's own objects is compiled again as they change.
func (w *writer) drift(ctx context.Context, u *unstructured.Unstructured, status map[string]any, v view) ([]cond, error) {
	status["drift"] = nil // a merge patch takes it away
	if !v.fromBundle || v.bundle == nil || w.opts.Drift == nil {
		return nil, nil
	}
	var found diag.List
	for _, f := range w.opts.Drift() {
		if f.Severity >= diag.Warning {
			found = append(found, pinnedAt(f))
		}
	}
	status["drift"] = int64(len(found))
	now := cond{drifted, "False", reasonSame, "what runs is what the bundle was compiled with"}
	if len(found) > 0 {
		now = cond{drifted, "True", reasonDrift, brief(found)}
	}
	before := conditions.Get(conditions.UnstructuredGetter(u), drifted)
	was := before != nil && before.Status == meta.ConditionTrue
	if !was && len(found) == 0 || was && before.Message == now.message {
		return []cond{now}, nil
	}
	kind, reason := "Warning", "Drift"
	if len(found) == 0 {
		kind, reason = "Normal", "DriftOver"
	}
	err := w.event(ctx, u, kind, reason, now.message)
	if apierrors.IsForbidden(err) || apierrors.IsNotFound(err) {
		err = nil
	}
	return []cond{now}, err
}

// pinnedAt says in a finding's message where what it is about was compiled from.
func pinnedAt(f diag.Finding) diag.Finding {
	if len(f.Related) > 0 {
		f.Message = fmt.Sprintf("%s (compiled with %s)", f.Message, f.Related[0].Span)
	}
	return f
}
