package envoy

import (
	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	celv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/filters/cel/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/meshc/meshc/compiler/ir"
)

const headerDeniedBy = "x-meshc-denied-by"

// The sentences of denials; Envoy fills in the formats. The path is without
// its query, which may hold secrets, and cut: the sentence travels in a header.
const (
	sentenceUnknown = "no grant from " + formatIdentity + " to %DOWNSTREAM_LOCAL_ADDRESS%"
	sentenceGone    = "no grant any more from " + formatIdentity + " to %DOWNSTREAM_LOCAL_ADDRESS%, or no such service"
	sentenceUpgrade = "the mesh carries no such upgrade: %REQ(:METHOD)% %REQ(UPGRADE):60%"
	sentenceTarget  = "the mesh carries no request whose target is not a path"
	formatPeer      = "%DOWNSTREAM_PEER_URI_SAN%"
	formatRequest   = "%REQ(:METHOD)% %PATH(NQ:PATH):200%"
)

func sentenceUngranted(port ir.PortID) string {
	return "no grant lets " + formatPeer + " call " + formatRequest + " on " + port.String() +
		"; to see why: meshc can " + formatPeer + " " + port.String() + " " + formatRequest
}

func sentenceOutside(port ir.PortID) string {
	return "no egress from the namespace of " + formatIdentity + ": a leaf of " + port.String() + " is outside the mesh" +
		"; to see why: meshc can " + formatIdentity + " " + port.String() + " " + formatRequest
}

// denial explains the local replies that the filter picks, as far as the
// settings let it. gRPC clients find the body in grpc-message.
func denial(set ir.Settings, when *accesslogv3.AccessLogFilter, sentence string) *hcmv3.ResponseMapper {
	m := &hcmv3.ResponseMapper{Filter: when, StatusCode: wrapperspb.UInt32(403), BodyFormatOverride: text("")}
	if set.DenialBody {
		m.BodyFormatOverride = text(sentence)
	}
	if set.DenialHeader {
		m.HeadersToAdd = []*corev3.HeaderValueOption{{
			Header:       &corev3.HeaderValue{Key: headerDeniedBy, Value: sentence},
			AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
		}}
	}
	return m
}

// explain gives a connection manager its denials. After the particular ones
// come those that every manager may have to make: the 403 for CONNECT and for
// upgrades it does not know, and for OPTIONS * Envoy's 404, which no mesh means.
func explain(m *hcmv3.HttpConnectionManager, set ir.Settings, particular ...*hcmv3.ResponseMapper) {
	m.LocalReplyConfig = &hcmv3.LocalReplyConfig{Mappers: append(particular,
		denial(set, answered(403), sentenceUpgrade),
		&hcmv3.ResponseMapper{Filter: answered(404), StatusCode: wrapperspb.UInt32(400), BodyFormatOverride: text(sentenceTarget)},
	)}
}

func text(format string) *corev3.SubstitutionFormatString {
	return &corev3.SubstitutionFormatString{
		Format: &corev3.SubstitutionFormatString_TextFormatSource{TextFormatSource: &corev3.DataSource{
			Specifier: &corev3.DataSource_InlineString{InlineString: format},
		}},
	}
}

// answered picks the replies of the proxy itself that have the status.
func answered(status uint32) *accesslogv3.AccessLogFilter {
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_StatusCodeFilter{
		StatusCodeFilter: &accesslogv3.StatusCodeFilter{Comparison: &accesslogv3.ComparisonFilter{
			Op:    accesslogv3.ComparisonFilter_EQ,
			Value: &corev3.RuntimeUInt32{DefaultValue: status, RuntimeKey: "meshc.status"},
		}},
	}}
}

var refusedByRBAC = &celv3.ExpressionFilter{Expression: `response.code_details.startsWith("rbac_access_denied")`}

// ungranted picks the requests that RBAC refused, and no other 403: an upgrade
// that Envoy does not carry is not the lack of a grant. The filter's metadata
// would say it too, but is written after the reply.
func (s *store) ungranted() *accesslogv3.AccessLogFilter {
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_ExtensionFilter{
		ExtensionFilter: &accesslogv3.ExtensionFilter{
			Name:       "envoy.access_loggers.extension_filters.cel",
			ConfigType: &accesslogv3.ExtensionFilter_TypedConfig{TypedConfig: s.once(refusedByRBAC, func() proto.Message { return refusedByRBAC })},
		},
	}}
}

// withheld picks requests for a cluster that this proxy was not given, or no longer has:
// one that comes on a connection of before the grant was taken away.
func withheld() *accesslogv3.AccessLogFilter {
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_ResponseFlagFilter{
		ResponseFlagFilter: &accesslogv3.ResponseFlagFilter{Flags: []string{"NC"}},
	}}
}
