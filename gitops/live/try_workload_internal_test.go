package live

import (
	"testing"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/meshc/meshc/compiler/syntax"
)

// Whose pods are taken for another's, a change of that one is judged by.
func TestWhoRunsAPod(t *testing.T) {
	yes := true
	for _, c := range []struct {
		kind, by, set, label, hash string
		runs                       bool
	}{
		{"Deployment", "ReplicaSet", "cart-7d9f", "pod-template-hash", "7d9f", true},
		{"Deployment", "ReplicaSet", "cart-blue-7d9f", "pod-template-hash", "7d9f", false},
		{"Deployment", "ReplicaSet", "cart-", "pod-template-hash", "", false},
		{"Deployment", "StatefulSet", "cart", "", "", false},
		{"Rollout", "ReplicaSet", "cart-7d9f", "rollouts-pod-template-hash", "7d9f", true},
		{"Rollout", "ReplicaSet", "cart-7d9f", "pod-template-hash", "7d9f", false},
		{"StatefulSet", "StatefulSet", "cart", "", "", true},
		{"StatefulSet", "DaemonSet", "cart", "", "", false},
		{"Job", "Job", "cart", "", "", true},
		{"Job", "Job", "cart-29123456", "", "", false},
		{"CronJob", "Job", "cart-29123456", "", "", true},
		{"CronJob", "Job", "cart-blue-29123456", "", "", false},
		{"CronJob", "Job", "cart-once", "", "", false},
		{"CronJob", "Job", "cart-2026", "", "", false},
		{"CronJob", "Job", "cart", "", "", false},
	} {
		p := &core.Pod{ObjectMeta: meta.ObjectMeta{
			Labels: map[string]string{c.label: c.hash}, OwnerReferences: []meta.OwnerReference{{Kind: c.by, Name: c.set, Controller: &yes}},
		}}
		if got := runs(syntax.Name{Kind: c.kind, Namespace: "town", Name: "cart"}, p); got != c.runs {
			t.Errorf("the %s cart runs a pod of the %s %s (%s): %v", c.kind, c.by, c.set, c.hash, got)
		}
	}
	if runs(syntax.Name{Kind: "Deployment", Name: "cart"}, &core.Pod{}) {
		t.Error("a pod that nobody runs is a Deployment's")
	}
}
