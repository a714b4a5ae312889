// Package convert turns objects of SMI from one version of their API into another,
// for the API server. What a version cannot say is an error, never left out: a
// grant without its port, or a split without its condition, would mean more than
// what was written. It knows nothing of clusters.
package convert

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/meshc/meshc/admission/tree"
)

// Object is a Kubernetes object as JSON decodes it.
type Object = tree.Object

// kinds are those with more than one version, and the newest.
var kinds = map[string]struct {
	group string
	to    func(spec Object, from, to int) error
	tops  int // the last version whose fields stand at the top
}{
	"TrafficTarget":  {"access.smi-spec.io", target, 1},
	"HTTPRouteGroup": {"specs.smi-spec.io", routes, 2},
	"TCPRoute":       {"specs.smi-spec.io", ports, 2},
	"TrafficSplit":   {"split.smi-spec.io", split, 0},
}

const newest = 4

// To is the object in another version of its group. The given one is not changed.
func To(given Object, apiVersion string) (Object, error) {
	kind, _ := given["kind"].(string)
	was, _ := given["apiVersion"].(string)
	k, ok := kinds[kind]
	from, okFrom := version(was, k.group)
	to, okTo := version(apiVersion, k.group)
	if !ok || !okFrom || !okTo {
		return nil, fmt.Errorf("%s cannot be converted from %s to %s: these are no versions of a kind of SMI", kind, was, apiVersion)
	}
	out := tree.Clone(given).(Object)
	out["apiVersion"] = apiVersion
	if from == to {
		return out, nil
	}
	body := out
	if from > k.tops {
		if body, ok = out["spec"].(Object); !ok && !empty(out["spec"]) {
			return nil, fmt.Errorf("%s %s in %s has a spec that is no map", kind, name(given), was)
		} else if !ok {
			body = Object{}
		}
	} else {
		body = Object{}
		for _, field := range slices.Sorted(maps.Keys(out)) {
			if !slices.Contains(heads, field) {
				body[field] = out[field]
				delete(out, field)
			}
		}
	}
	delete(out, "spec")
	if err := k.to(body, from, to); err != nil {
		return nil, fmt.Errorf("%s %s in %s has %w; convert it by hand, or write it in %s", kind, name(given), was, err, was)
	}
	if to > k.tops {
		out["spec"] = body
		return out, nil
	}
	for _, field := range slices.Sorted(maps.Keys(body)) {
		if slices.Contains(heads, field) {
			return nil, fmt.Errorf("%s %s in %s has a field spec.%s, which %s would take for the object's own %s", kind, name(given), was, field, apiVersion, field)
		}
		out[field] = body[field]
	}
	return out, nil
}

// heads are the fields of every object, beside which v1alpha1 has those of a spec.
var heads = []string{"apiVersion", "kind", "metadata", "status"}

func version(apiVersion, group string) (int, bool) {
	v, ok := strings.CutPrefix(apiVersion, group+"/v1alpha")
	if !ok || len(v) != 1 || v[0] < '1' || v[0] > '0'+newest {
		return 0, false
	}
	return int(v[0] - '0'), true
}

func name(o Object) string {
	meta, _ := o["metadata"].(Object)
	ns, _ := meta["namespace"].(string)
	n, _ := meta["name"].(string)
	return ns + "/" + n
}

// each visits the records of a list; what is none stays as it is, for the
// compiler to judge.
func each(list any, visit func(Object) error) error {
	items, _ := list.([]any)
	for _, e := range items {
		if o, ok := e.(Object); ok {
			if err := visit(o); err != nil {
				return err
			}
		}
	}
	return nil
}

func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case Object:
		return len(v) == 0
	}
	return false
}
