package caller

import (
	"context"
	"crypto/tls"
	"net"
)

// TLS is how a connection is made when a request goes past the proxy of its own
// pod: with whatever certificate, and without a look at the server's.
type TLS struct {
	Certificate []byte // PEM, the chain; empty: none is presented
	Key         []byte // PEM
	ServerName  string
	ALPN        []string
}

// handshake speaks TLS on a connection.
func (t *TLS) handshake(ctx context.Context, c net.Conn) (net.Conn, error) {
	config := &tls.Config{ServerName: t.ServerName, NextProtos: t.ALPN, InsecureSkipVerify: true} // it is the server that is put to the test
	if len(t.Certificate) > 0 {
		own, err := tls.X509KeyPair(t.Certificate, t.Key)
		if err != nil {
			return nil, err
		}
		// Asked or not, and whomever the server says it trusts.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &own, nil }
	}
	secured := tls.Client(c, config)
	return secured, secured.HandshakeContext(ctx)
}
