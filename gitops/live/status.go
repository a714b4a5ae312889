package live

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// requestedAt is what Flux's users write to have an object looked at now.
const requestedAt = "reconcile.fluxcd.io/requestedAt"

// Types of conditions.
const (
	accepted   = "Accepted"
	programmed = "Programmed"
	ready      = "Ready"
)

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
