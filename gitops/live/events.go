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

// longestName is what the API server takes as the name of an event.
const longestName = 253

// nameOf is the name of an event about an object, of this end: cut where the object's own
// leaves no room for it.
func nameOf(u *unstructured.Unstructured, end string) string {
	name := u.GetName()
	if most := longestName - len(end) - 1; len(name) > most {
		name = strings.TrimRight(name[:most], ".-")
	}
	return name + "." + end
}

// event tells who looks at an object what became of it.
func (w *writer) event(ctx context.Context, u *unstructured.Unstructured, kind, reason, note string) error {
	return w.eventNamed(ctx, u, nameOf(u, fmt.Sprintf("%x", time.Now().UTC().UnixNano())), kind, reason, note)
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
