//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// objects is every object of every resource of the cluster, by kind, namespace and
// name, with what somebody decided about it: labels, annotations, and all but its status.
func objects(t *testing.T) map[string]string {
	t.Helper()
	var kinds []string
	for _, kind := range strings.Fields(kubectl(t, "", "api-resources", "--verbs=list", "-o", "name")) {
		// Events and heartbeats tell of the past; the others are read twice by their other names.
		if !slices.Contains([]string{"events", "events.events.k8s.io", "componentstatuses", "leases.coordination.k8s.io"}, kind) {
			kinds = append(kinds, kind)
		}
	}
	var list struct{ Items []map[string]any }
	if err := json.Unmarshal([]byte(kubectl(t, "", "get", strings.Join(kinds, ","), "-A", "-o", "json")), &list); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, o := range list.Items {
		meta := o["metadata"].(map[string]any)
		key := fmt.Sprintf("%v %v/%v", o["kind"], meta["namespace"], meta["name"])
		delete(o, "status")
		o["metadata"] = map[string]any{"labels": meta["labels"], "annotations": meta["annotations"], "finalizers": meta["finalizers"]}
		text, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		out[key] = string(text)
	}
	// Leases by their names alone.
	for _, name := range strings.Fields(kubectl(t, "", "get", "leases", "-A", "-o", "jsonpath={range .items[*]}{.metadata.namespace}/{.metadata.name}{\" \"}{end}")) {
		out["Lease "+name] = ""
	}
	return out
}

// changed is what differs between two looks at a cluster, a line each.
func changed(before, after map[string]string) (lines []string) {
	all := maps.Clone(before)
	maps.Copy(all, after)
	for _, key := range slices.Sorted(maps.Keys(all)) {
		was, had := before[key]
		is, has := after[key]
		switch {
		case !had:
			lines = append(lines, "left behind: "+key+": "+is)
		case !has:
			lines = append(lines, "gone: "+key)
		case was != is:
			lines = append(lines, fmt.Sprintf("changed: %s\n  was %s\n  is  %s", key, was, is))
		}
	}
	return lines
}
