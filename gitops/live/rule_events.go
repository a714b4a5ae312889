package live

import (
	"context"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const reasonRules = "RulesRefused"

// tellOfRules makes an event of a ConfigMap of rules with a fault, once for each fault,
// and one when it is mended.
func (w *writer) tellOfRules(ctx context.Context) {
	if _, ok := w.stores[rulesStore]; !ok {
		return
	}
	w.mu.Lock()
	faults := w.rulebook.faults
	w.mu.Unlock()
	now := map[string]string{}
	for _, f := range faults {
		if name, ok := strings.CutPrefix(f.set, ruleSetName("")); ok {
			now[name] = brief(f.found)
		}
	}
	for name := range w.rules {
		if _, still := now[name]; !still {
			now[name] = ""
		}
	}
	for name, note := range now {
		if w.rules[name] == note {
			continue
		}
		kind, reason, text := "Warning", reasonRules, note
		if note == "" {
			kind, reason, text = "Normal", reasonAccepted, "its rules judge"
		}
		o, there, _ := w.stores[rulesStore].GetStore().GetByKey(w.opts.Namespace + "/" + name) // stores in memory do not fail
		if u, ok := o.(*unstructured.Unstructured); there && ok {
			if err := w.event(ctx, u, kind, reason, text); err != nil {
				w.Live.opts.Log.Warn("an event could not be written", "object", ruleSetName(name), "error", err)
				continue
			}
		}
		if w.rules[name] = note; note == "" {
			delete(w.rules, name)
		}
	}
}
