package support

import (
	"maps"
	"slices"

	"github.com/meshc/meshc/deploy/api"
)

const redacted = "[redacted]"

// sidecars are our containers in the pods of others.
var sidecars = []string{"meshc-init", "meshc-proxy"}

// Redact is an object without what may be secret: values of Secrets and ConfigMaps, of
// environment variables and of probes' headers, what applications are started with, what
// kubectl applied last, and the API server's book-keeping. The object that is given stays.
func Redact(o api.Object) api.Object {
	out, _ := clean(o, api.Text(o, "metadata", "labels", "app.kubernetes.io/part-of") == "meshc").(api.Object)
	switch api.Text(o, "kind") {
	case "Secret", "ConfigMap":
		for _, field := range []string{"data", "stringData", "binaryData"} {
			if values, ok := out[field].(api.Object); ok {
				for k := range values {
					values[k] = redacted
				}
			}
		}
	}
	return out
}

// clean copies a value without managed fields, applied configurations, values that have
// names, and command lines of others than ours.
func clean(v any, ours bool) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = clean(e, ours)
		}
		return out
	case api.Object:
		out := maps.Clone(v)
		ours = ours || v["image"] != nil && slices.Contains(sidecars, api.Text(v, "name"))
		delete(out, "managedFields")
		delete(out, "kubectl.kubernetes.io/last-applied-configuration")
		for k, e := range out {
			list, ok := e.([]any)
			switch {
			case ok && (k == "env" || k == "httpHeaders"):
				out[k] = environment(list)
			case ok && (k == "args" || k == "command") && !ours:
				out[k] = redacted
			default:
				out[k] = clean(e, ours)
			}
		}
		return out
	}
	return v
}

func environment(list []any) []any {
	out := make([]any, len(list))
	for i, e := range list {
		out[i] = e
		if one, ok := e.(api.Object); ok {
			one = maps.Clone(one)
			if _, has := one["value"]; has {
				one["value"] = redacted
			}
			out[i] = one
		}
	}
	return out
}
