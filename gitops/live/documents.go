package live

import (
	"encoding/json"
	"maps"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/meshc/meshc/compiler/syntax"
)

// noise are annotations that say nothing about policy and change on their own.
var noise = []string{"kubectl.kubernetes.io/last-applied-configuration", requestedAt}

// onlyLive are the fields of a Mesh that are for the cluster alone, not for meshc.yaml.
var onlyLive = []string{"bundle", "suspend", "sources", "lock"}

// document is a policy object as a manifest would have it: without what the API server
// and controllers write.
func document(u *unstructured.Unstructured) (syntax.Name, map[string]any) {
	out := map[string]any{}
	maps.Copy(out, u.Object)
	delete(out, "status")
	meta := map[string]any{"name": u.GetName()}
	if ns := u.GetNamespace(); ns != "" {
		meta["namespace"] = ns
	}
	if l := u.GetLabels(); len(l) > 0 {
		meta["labels"] = l
	}
	annotations := maps.Clone(u.GetAnnotations())
	for _, n := range noise {
		delete(annotations, n)
	}
	if len(annotations) > 0 {
		meta["annotations"] = annotations
	}
	var owners []any
	for _, o := range u.GetOwnerReferences() {
		owners = append(owners, map[string]any{"apiVersion": o.APIVersion, "kind": o.Kind, "name": o.Name})
	}
	if owners != nil {
		meta["ownerReferences"] = owners
	}
	out["metadata"] = meta
	name := syntax.Name{Kind: u.GetKind(), Namespace: u.GetNamespace(), Name: u.GetName()}
	if spec, ok := u.Object["spec"].(map[string]any); ok && name.Kind == meshKind {
		spec = maps.Clone(spec)
		for _, f := range onlyLive {
			delete(spec, f)
		}
		out["spec"] = spec
	}
	return name, out
}

// noMesh is the configuration of a mesh of which the cluster has no Mesh object.
func noMesh(name string) []byte {
	text, _ := json.Marshal(name) // a text always marshals
	return []byte(strings.ReplaceAll(`{"apiVersion":"meshc.dev/v1alpha1","kind":"Mesh","metadata":{"name":NAME}}`, "NAME", string(text)))
}
