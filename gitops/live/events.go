package live

import (
	"context"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// longestNote is what the API server takes, in bytes.
const longestNote = 1000

// longestName leaves room for the time in the name of an event.
const longestName = 253 - 17

// event tells who looks at an object what became of it.
func (w *writer) event(ctx context.Context, u *unstructured.Unstructured, kind, reason, note string) error {
	name := u.GetName()
	if len(name) > longestName {
		name = strings.TrimRight(name[:longestName], ".-")
	}
	return w.eventNamed(ctx, u, fmt.Sprintf("%s.%x", name, time.Now().UTC().UnixNano()), kind, reason, note)
}

// eventNamed is an event of a name of its own: there is one of it at most.
func (w *writer) eventNamed(ctx context.Context, u *unstructured.Unstructured, name, kind, reason, note string) error {
	ns := u.GetNamespace()
	if ns == "" {
		ns = "default" // where events about what lies in no namespace are looked for
	}
	if len(note) > longestNote {
		note = note[:longestNote]
	}
	now := time.Now().UTC()
	object := map[string]any{
		"apiVersion": "v1", "kind": "Event",
		"metadata": map[string]any{"name": name, "namespace": ns},
		"involvedObject": map[string]any{
			"apiVersion": u.GetAPIVersion(), "kind": u.GetKind(), "namespace": u.GetNamespace(), "name": u.GetName(),
			"uid": string(u.GetUID()), "resourceVersion": u.GetResourceVersion(),
		},
		"type": kind, "reason": reason, "message": note, "count": int64(1), "action": "Reconcile",
		"firstTimestamp": now.Format(time.RFC3339), "lastTimestamp": now.Format(time.RFC3339),
		"source":             map[string]any{"component": leaseName},
		"reportingComponent": "meshc.dev/controller", "reportingInstance": w.lease.self,
	}
	_, err := w.client.do(ctx, verbs.post, []string{"/api", "v1", "namespaces", ns, "events"}, asJSON, object)
	return err
}
