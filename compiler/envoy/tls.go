package envoy

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/meshc/meshc/compiler/ir"
)

// alpnTCP marks mesh TLS that carries bytes, so that a port which also takes
// clients without a mesh certificate can tell it from the application's own TLS.
const alpnTCP = "meshc"

// tlsParams prefer TLS 1.3; leaves are ECDSA, so 1.2 has nothing else to offer.
var tlsParams = &tlsv3.TlsParameters{
	TlsMinimumProtocolVersion: tlsv3.TlsParameters_TLSv1_2,
	TlsMaximumProtocolVersion: tlsv3.TlsParameters_TLSv1_3,
	CipherSuites:              []string{"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES256-GCM-SHA384"},
}

// ads is where every discovered thing comes from: the stream of the proxy itself.
var ads = &corev3.ConfigSource{
	ResourceApiVersion:    corev3.ApiVersion_V3,
	ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
}

func secret(name string) *tlsv3.SdsSecretConfig {
	return &tlsv3.SdsSecretConfig{Name: name, SdsConfig: ads}
}

// exactly matches the certificate of one of the identities. Envoy takes an
// empty list for "any certificate of the roots", so nobody needs a name that
// no authority issues.
func exactly(ids []ir.Identity) []*tlsv3.SubjectAltNameMatcher {
	if len(ids) == 0 {
		ids = []ir.Identity{"spiffe://nobody.invalid/"}
	}
	out := make([]*tlsv3.SubjectAltNameMatcher, len(ids))
	for i, id := range ids {
		out[i] = uriSAN(&matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: string(id)}})
	}
	return out
}

// member matches every certificate of the trust domain.
func member(trustDomain string) []*tlsv3.SubjectAltNameMatcher {
	return []*tlsv3.SubjectAltNameMatcher{uriSAN(memberName(trustDomain))}
}

func memberName(trustDomain string) *matcherv3.StringMatcher {
	return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Prefix{Prefix: "spiffe://" + trustDomain + "/"}}
}

func uriSAN(m *matcherv3.StringMatcher) *tlsv3.SubjectAltNameMatcher {
	return &tlsv3.SubjectAltNameMatcher{SanType: tlsv3.SubjectAltNameMatcher_URI, Matcher: m}
}

// tlsContext presents the proxy's leaf and checks the peer against the roots
// and the names.
func tlsContext(peers []*tlsv3.SubjectAltNameMatcher, alpn ...string) *tlsv3.CommonTlsContext {
	return &tlsv3.CommonTlsContext{
		TlsParams:                      tlsParams,
		TlsCertificateSdsSecretConfigs: []*tlsv3.SdsSecretConfig{secret(secretIdentity)},
		AlpnProtocols:                  alpn,
		ValidationContextType: &tlsv3.CommonTlsContext_CombinedValidationContext{
			CombinedValidationContext: &tlsv3.CommonTlsContext_CombinedCertificateValidationContext{
				DefaultValidationContext:         &tlsv3.CertificateValidationContext{MatchTypedSubjectAltNames: peers},
				ValidationContextSdsSecretConfig: secret(secretRoots),
			},
		},
	}
}

func (s *store) clientTLS(c *tlsv3.CommonTlsContext) *corev3.TransportSocket {
	return s.tlsSocket(&tlsv3.UpstreamTlsContext{CommonTlsContext: c})
}

func (s *store) serverTLS(c *tlsv3.CommonTlsContext) *corev3.TransportSocket {
	return s.tlsSocket(&tlsv3.DownstreamTlsContext{CommonTlsContext: c, RequireClientCertificate: wrapperspb.Bool(true)})
}

func (s *store) tlsSocket(context proto.Message) *corev3.TransportSocket {
	return &corev3.TransportSocket{
		Name:       "envoy.transport_sockets.tls",
		ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: s.pack(context)},
	}
}
