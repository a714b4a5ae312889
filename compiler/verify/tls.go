package verify

import (
	"errors"
	"fmt"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/meshc/meshc/compiler/ir"
)

// tlsContext is one side of mTLS: what it asks of its peer.
type tlsContext struct {
	// accepts judges the URI SAN of the peer's certificate; the certificate is
	// always checked against the roots too.
	accepts test
	// names are what accepts names; none: any certificate.
	names    people
	exact    people // of these, those that a matcher takes and nobody else
	class    string // the other matchers
	required bool   // the server demands a certificate
	presents bool   // it has a certificate of its own
	alpn     []string
	sni      string
}

// newTLS reads a transport socket; nil is plain text.
func newTLS(m *corev3.TransportSocket) (*tlsContext, error) {
	if m == nil {
		return nil, nil
	}
	if err := only(m, "name", "typed_config"); err != nil {
		return nil, err
	}
	a := m.GetTypedConfig()
	var known *kept[*tlsContext]
	switch a.GetTypeUrl() {
	case urlDownstream:
		known = &readDownstream
	case urlUpstream:
		known = &readUpstream
	default:
		return nil, fmt.Errorf("transport socket %s is not understood", a.GetTypeUrl())
	}
	return known.get(a.GetValue(), func() (*tlsContext, error) { return newContext(a) })
}

const (
	urlDownstream = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"
	urlUpstream   = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
)

var readDownstream, readUpstream kept[*tlsContext]

func newContext(a *anypb.Any) (*tlsContext, error) {
	config, err := unpack(a)
	if err != nil {
		return nil, err
	}
	switch c := config.(type) {
	case *tlsv3.DownstreamTlsContext:
		if err := only(c, "common_tls_context", "require_client_certificate"); err != nil {
			return nil, err
		}
		t, err := commonTLS(c.CommonTlsContext)
		if err != nil {
			return nil, err
		}
		t.required = c.RequireClientCertificate.GetValue()
		return t, nil
	case *tlsv3.UpstreamTlsContext:
		if err := only(c, "common_tls_context", "sni"); err != nil {
			return nil, err
		}
		t, err := commonTLS(c.CommonTlsContext)
		if err != nil {
			return nil, err
		}
		t.sni = c.Sni
		return t, nil
	}
	return nil, fmt.Errorf("transport socket %T is not understood", config)
}

func commonTLS(m *tlsv3.CommonTlsContext) (*tlsContext, error) {
	if m == nil {
		return nil, errors.New("a TLS context is empty")
	}
	if err := only(m, "tls_params", "tls_certificate_sds_secret_configs", "alpn_protocols", "combined_validation_context"); err != nil {
		return nil, err
	}
	t := &tlsContext{alpn: m.AlpnProtocols, presents: len(m.TlsCertificateSdsSecretConfigs) > 0}
	for _, s := range m.TlsCertificateSdsSecretConfigs {
		if s.GetName() != "identity" {
			return nil, fmt.Errorf("the certificate %q is not the proxy's own", s.GetName())
		}
	}
	combined := m.GetCombinedValidationContext()
	if combined.GetValidationContextSdsSecretConfig().GetName() != "roots" {
		return nil, errors.New("peers are not checked against the mesh's roots")
	}
	if err := only(combined, "default_validation_context", "validation_context_sds_secret_config"); err != nil {
		return nil, err
	}
	var err error
	t.accepts, err = subjectAltNames(combined.DefaultValidationContext)
	if len(combined.GetDefaultValidationContext().GetMatchTypedSubjectAltNames()) == 0 {
		t.class = " anybody"
	}
	for _, n := range combined.GetDefaultValidationContext().GetMatchTypedSubjectAltNames() {
		t.names.add(n.GetMatcher())
		if n.GetMatcher().GetExact() == "" {
			t.class += " " + same(n)
		} else {
			t.exact.add(n.GetMatcher())
		}
	}
	return t, err
}

// subjectAltNames judges a peer by its URI SAN. Envoy takes an empty list for
// any certificate of the roots.
func subjectAltNames(m *tlsv3.CertificateValidationContext) (test, error) {
	if m == nil {
		return func(string) bool { return true }, nil
	}
	if err := only(m, "match_typed_subject_alt_names"); err != nil {
		return nil, err
	}
	if len(m.MatchTypedSubjectAltNames) == 0 {
		return func(string) bool { return true }, nil
	}
	tests, err := each(m.MatchTypedSubjectAltNames, func(n *tlsv3.SubjectAltNameMatcher) (test, error) {
		if err := only(n, "san_type", "matcher"); err != nil {
			return nil, err
		}
		if n.SanType != tlsv3.SubjectAltNameMatcher_URI {
			return nil, fmt.Errorf("subject alternative names of type %s are not understood", n.SanType)
		}
		return stringMatcher(n.Matcher)
	})
	return func(s string) bool {
		for _, is := range tests {
			if is(s) {
				return true
			}
		}
		return false
	}, err
}

// hello is the client's side of a handshake as the server's listener sees it.
type hello struct {
	sni  string
	alpn []string
	own  ir.Identity // of the certificate it presents; empty: none
	of   *tlsContext
}

// handshake tells why two sides do not come together; empty when they do.
func handshake(client *hello, server *tlsContext, serverID ir.Identity) string {
	switch {
	case client == nil && server == nil:
		return ""
	case client == nil:
		return "it speaks no TLS, and the server's chain demands it"
	case server == nil:
		return "the server's chain speaks no TLS"
	case !server.presents:
		return "the server has no certificate"
	case !client.of.accepts(string(serverID)):
		return fmt.Sprintf("the client does not accept the server's certificate, of %s", serverID)
	case client.own == "" && server.required:
		return "the client has no certificate"
	case client.own != "" && !server.accepts(string(client.own)):
		return fmt.Sprintf("the server does not accept the certificate of %s", client.own)
	}
	return ""
}
