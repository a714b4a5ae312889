package support

import (
	"maps"

	"github.com/meshc/meshc/deploy/api"
)

const redacted = "[redacted]"

// Redact is an object without what may be secret: values of Secrets and ConfigMaps, of
// environment variables, what kubectl applied
// last, and the API server's book-keeping. The object that is given stays.
func Redact(o api.Object) api.Object {
	out, _ := clean(o).(api.Object)
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

// clean copies a value without managed fields, applied configurations and the values
// of environment variables.
func clean(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = clean(e)
		}
		return out
	case api.Object:
		out := maps.Clone(v)
		delete(out, "managedFields")
		delete(out, "kubectl.kubernetes.io/last-applied-configuration")
		for k, e := range out {
			if list, ok := e.([]any); ok && k == "env" {
				out[k] = environment(list)
				continue
			}
			out[k] = clean(e)
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
