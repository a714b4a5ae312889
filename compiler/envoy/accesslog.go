package envoy

import (
	"slices"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	streamv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/stream/v3"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/meshc/meshc/compiler/ir"
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

// logRBAC names the policy that let a request in, and in audit mode what the
// grants would have said.
var logRBAC = []logField{
	{"policy", metadata(filterRBAC, statPrefixRules+"enforced_effective_policy_id")},
	{"shadow_policy", metadata(filterRBAC, shadowPolicy)},
	{"shadow_result", metadata(filterRBAC, shadowResult)},
}

const (
	shadowPolicy = statPrefixShadow + "shadow_effective_policy_id"
	shadowResult = statPrefixShadow + "shadow_engine_result"
)

// logNetworkRBAC is the same for connections. The network filter writes down
// what its shadow rules say and not which rule it enforced, so lowering gives
// it the grants as shadow rules in every mode. An empty policy is that name.
func logNetworkRBAC(mode ir.Mode, policy string) []logField {
	grant := logField{"policy", metadata(filterNetworkRBAC, shadowPolicy)}
	if policy != "" {
		grant.format = policy
	}
	if mode != ir.Audit {
		return []logField{grant}
	}
	return []logField{
		grant,
		{"shadow_policy", metadata(filterNetworkRBAC, shadowPolicy)},
		{"shadow_result", metadata(filterNetworkRBAC, shadowResult)},
	}
}

func metadata(filter, key string) string { return "%DYNAMIC_METADATA(" + filter + ":" + key + ")%" }

// accessLog is the one access log of a connection manager or tcp_proxy. port
// is NS/SVC:PORT, empty where no service is known. Nothing else in it differs
// from port to port, so the rest is serialised once and the port concatenated:
// protobuf merges the two messages when it reads them.
func (s *store) accessLog(kind string, on side, port string, groups ...[]logField) []*accesslogv3.AccessLog {
	common := s.once(logKey(kind, on, groups), func() proto.Message {
		return stdoutLog(append([]logField{{"meshc", kind}, {"side", string(on)}}, slices.Concat(append(groups, logAlways)...)...))
	})
	return []*accesslogv3.AccessLog{{
		Name: "envoy.access_loggers.stdout",
		ConfigType: &accesslogv3.AccessLog_TypedConfig{TypedConfig: &anypb.Any{
			TypeUrl: common.TypeUrl, Value: slices.Concat(common.Value, portLog(port)),
		}},
	}}
}

// logKey tells access logs apart by the fields that are not in all of them.
func logKey(kind string, on side, groups [][]logField) string {
	key := make([]byte, 0, 512)
	key = append(append(append(key, kind...), ' '), on...)
	for _, g := range groups {
		for _, f := range g {
			key = append(append(append(append(key, '\n'), f.name...), '='), f.format...)
		}
	}
	return string(key)
}

// portLog is stdoutLog of the port alone, as bytes: there is one for every port.
func portLog(port string) []byte {
	field := func(number protowire.Number, value []byte) []byte {
		out := protowire.AppendTag(make([]byte, 0, len(value)+8), number, protowire.BytesType)
		return protowire.AppendBytes(out, value)
	}
	entry := append(field(1, []byte("port")), field(2, field(3, []byte(port)))...)
	return field(1, field(2, field(1, entry)))
}

func stdoutLog(fields []logField) *streamv3.StdoutAccessLog {
	values := make(map[string]*structpb.Value, len(fields))
	for _, f := range fields {
		values[f.name] = structpb.NewStringValue(f.format)
	}
	return &streamv3.StdoutAccessLog{
		AccessLogFormat: &streamv3.StdoutAccessLog_LogFormat{LogFormat: &corev3.SubstitutionFormatString{
			Format: &corev3.SubstitutionFormatString_JsonFormat{JsonFormat: &structpb.Struct{Fields: values}},
		}},
	}
}
