package envoy

import (
	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	streamv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/stream/v3"
	"google.golang.org/protobuf/types/known/structpb"
)

// side is the direction of traffic as access logs write it.
type side string

const (
	inbound  side = "inbound"
	outbound side = "outbound"
)

// logField is a field of the access log: one JSON line for a request or a
// connection. Formats that have no value are null.
type logField struct{ name, format string }

var logAlways = []logField{
	{"time", "%START_TIME%"},
	{"flags", "%RESPONSE_FLAGS%"},
	{"details", "%RESPONSE_CODE_DETAILS%"},
	{"peer", "%DOWNSTREAM_PEER_URI_SAN%"},
	{"route", "%ROUTE_NAME%"},
	{"cluster", "%UPSTREAM_CLUSTER%"},
	{"upstream", "%UPSTREAM_HOST%"},
	{"downstream", "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%"},
	{"local", "%DOWNSTREAM_LOCAL_ADDRESS%"},
	{"bytes_in", "%BYTES_RECEIVED%"},
	{"bytes_out", "%BYTES_SENT%"},
	{"duration_ms", "%DURATION%"},
	{"chain", "%FILTER_CHAIN_NAME%"},
	// Why TLS failed on either side, and the hint the client gave.
	{"tls_error", "%DOWNSTREAM_TRANSPORT_FAILURE_REASON%"},
	{"upstream_error", "%UPSTREAM_TRANSPORT_FAILURE_REASON%"},
	{"sni", "%REQUESTED_SERVER_NAME%"},
}

var logHTTP = []logField{
	{"request_id", "%REQ(X-REQUEST-ID)%"},
	{"method", "%REQ(:METHOD)%"},
	{"path", "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%"},
	{"authority", "%REQ(:AUTHORITY)%"},
	{"protocol", "%PROTOCOL%"},
	{"status", "%RESPONSE_CODE%"},
}

// rbacFields lead from an RBAC filter's dynamic metadata to the log. The
// network filter writes metadata for its shadow rules alone, so lowering gives
// it the enforced rules there too: see networkRBAC.
func rbacFields(filter, policy string) []logField {
	return []logField{
		{"policy", "%DYNAMIC_METADATA(" + filter + ":" + policy + ")%"},
		{"shadow_policy", "%DYNAMIC_METADATA(" + filter + ":" + statPrefixShadow + "shadow_effective_policy_id)%"},
		{"shadow_result", "%DYNAMIC_METADATA(" + filter + ":" + statPrefixShadow + "shadow_engine_result)%"},
	}
}

var (
	logRBACHTTP = rbacFields(filterRBAC, statPrefixRules+"enforced_effective_policy_id")
	logRBACTCP  = rbacFields(filterNetworkRBAC, statPrefixRules+"enforced_effective_policy_id")
)

// accessLog is the one access log of a connection manager or tcp_proxy. port
// is NS/SVC:PORT, empty where no service is known.
func (s *store) accessLog(kind string, on side, port string, groups ...[]logField) []*accesslogv3.AccessLog {
	fields := map[string]*structpb.Value{
		"meshc": structpb.NewStringValue(kind),
		"side":  structpb.NewStringValue(string(on)),
		"port":  structpb.NewStringValue(port),
	}
	for _, group := range append([][]logField{logAlways}, groups...) {
		for _, f := range group {
			fields[f.name] = structpb.NewStringValue(f.format)
		}
	}
	return []*accesslogv3.AccessLog{{
		Name: "envoy.access_loggers.stdout",
		ConfigType: &accesslogv3.AccessLog_TypedConfig{TypedConfig: s.pack(&streamv3.StdoutAccessLog{
			AccessLogFormat: &streamv3.StdoutAccessLog_LogFormat{LogFormat: &corev3.SubstitutionFormatString{
				Format: &corev3.SubstitutionFormatString_JsonFormat{JsonFormat: &structpb.Struct{Fields: fields}},
			}},
		})},
	}}
}
