package admin

import "strings"

// Redacted stands in the place of what may be secret.
const Redacted = "[redacted]"

// secrets are fields of Envoy's configuration that hold what only the proxy may know,
// wherever they stand. Envoy redacts keys that it got as secrets; what somebody wrote
// elsewhere it shows.
var secrets = map[string]bool{
	"private_key": true, "private_key_provider": true, "password": true, "session_ticket_keys": true, "keys": true,
	"token": true, "access_token": true, "generic_secret": true, "secret_key": true, "api_key": true, "credential": true, "client_secret": true,
}

// credentials are headers, in lower case.
var credentials = map[string]bool{"authorization": true, "proxy-authorization": true, "cookie": true, "x-api-key": true}

// redact copies a value without what may be secret.
func redact(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = redact(e)
		}
		return out
	case object:
		out := make(object, len(v))
		key, _ := v["key"].(string) // of a header
		for name, e := range v {
			switch {
			case secrets[name] && !harmless(e), name == "value" && credentials[strings.ToLower(key)]:
				out[name] = Redacted
			default:
				out[name] = redact(e)
			}
		}
		return out
	}
	return v
}

// harmless tells that a value only says where a secret is, or is none.
func harmless(v any) bool {
	switch v := v.(type) {
	case nil, bool, float64:
		return true
	case object:
		_, inFile := v["filename"]
		return len(v) == 0 || inFile && len(v) == 1
	}
	return false
}
