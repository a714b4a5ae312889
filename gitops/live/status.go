package live

import (
	"context"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/syntax"
)

// statusOf is what a status says beside these conditions, and the conditions that the kinds
// of meshc have besides.
func (w *writer) statusOf(ctx context.Context, u *unstructured.Unstructured, name syntax.Name, s state, p Proxies, shown view, conds []cond) (map[string]any, []cond, error) {
	status := map[string]any{"observedGeneration": s.generation, "findings": int64(len(s.found))}
	if s.requestedAt != "" {
		status["lastHandledReconcileAt"] = s.requestedAt
	}
	if name.Kind == meshKind {
		w.look = time.Now()
		conds = meshConditions(conds, s, p, shown)
		w.describe(status, s, p, shown)
		drifted, err := w.drift(ctx, u, status, shown)
		if err != nil {
			return nil, nil, err
		}
		conds = append(conds, drifted...)
	}
	news := ""
	if name.Kind == glassKind {
		s.over = w.Live.endings.isOver(name, s.uid) // from before it is taken out of what is served
		is, cond := glassState(name, u, s, shown)
		conds, news = append(conds, cond), w.describeGlass(status, u, is)
	}
	if news != "" { // before it is written: who leads next would not tell it
		if err := w.tellGlass(ctx, u, news); err != nil {
			return nil, nil, err
		}
	}
	return status, conds, nil
}

// put writes a status that says anything else than the object's does.
func (w *writer) put(ctx context.Context, u *unstructured.Unstructured, name syntax.Name, generation int64, status map[string]any, conds []cond) (changed bool, err error) {
	list, changed := written(u, generation, conds)
	if !changed && !differs(u, status) {
		return changed, nil
	}
	status["conditions"] = list
	k, _ := kindOf(name.Kind)
	// Only onto what was looked at: the list holds others' conditions too.
	same := map[string]any{"resourceVersion": u.GetResourceVersion(), "uid": string(u.GetUID())}
	_, err = w.client.do(ctx, verbs.patch, append(k.path(name.Namespace, name.Name), "status"), mergePatch, map[string]any{"metadata": same, "status": status})
	return changed, err
}

// settled are the findings that are worth an event: of an object that is new, not that
// something is missing that may come with what is applied after it.
func (w *writer) settled(u *unstructured.Unstructured, s state) diag.List {
	if s.refused || !w.Live.opts.Clock().Before(u.GetCreationTimestamp().Add(grace)) {
		return s.found
	}
	return slices.DeleteFunc(slices.Clone(s.found), func(f diag.Finding) bool {
		e, ok := diag.Lookup(f.Code)
		return ok && e.Awaited
	})
}

// keepForm writes down what a refused object said when it was accepted, for replicas
// that start later, and forgets it once it is not needed.
func (w *writer) keepForm(ctx context.Context, name syntax.Name, s state, known bool) error {
	stale := known && s.refused && s.form != nil
	if stale == w.kept[name] && !stale {
		return nil
	}
	var form []byte
	if stale {
		form = s.form
	}
	err := w.memory.keep(ctx, name, s.uid, form)
	if err == nil {
		w.kept[name] = stale
	}
	return err
}

// tellOf makes an event of what is new: findings are told once, and that they are gone.
func (w *writer) tellOf(ctx context.Context, u *unstructured.Unstructured, name syntax.Name, s state, news bool) error {
	note := brief(s.found)
	last, told := w.notes[name]
	if note == last || !told && !news { // who led before has told it
		w.notes[name] = note
		return nil
	}
	kind, reason, text := "Warning", reasonWarnings, note
	switch {
	case s.refused:
		reason = reasonInvalid
	case note == "":
		kind, reason, text = "Normal", reasonAccepted, "what was found with it is mended"
	}
	err := w.event(ctx, u, kind, reason, text)
	if apierrors.IsForbidden(err) || apierrors.IsNotFound(err) {
		err = nil // a namespace that ends takes none
	}
	if err == nil {
		w.notes[name] = note
	}
	return err
}

// differs tells whether a status says anything else in fields than an object's does.
func differs(u *unstructured.Unstructured, status map[string]any) bool {
	for field, v := range status {
		old, _, _ := unstructured.NestedFieldNoCopy(u.Object, "status", field)
		if old != v {
			return true
		}
	}
	return false
}
