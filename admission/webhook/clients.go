package webhook

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
)

// ClientsOf reads whom clients' certificates must be of from a file in PEM, each time
// that it is asked: whoever renews them writes the file.
func ClientsOf(file string) func() (*x509.CertPool, error) {
	return func() (*x509.CertPool, error) {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s holds no certificate in PEM", file)
		}
		return pool, nil
	}
}

// tlsConfig takes the certificates of clients where some are asked for; whoever shows a
// wrong one is not spoken with. Both sides' certificates may change while the server runs.
func (s *Server) tlsConfig() *tls.Config {
	base := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: s.opts.Certificate, NextProtos: []string{"h2", "http/1.1"}}
	if s.opts.Clients == nil {
		return base
	}
	out := base.Clone()
	out.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		pool, err := s.opts.Clients()
		if err != nil {
			s.opts.Log.Error("nobody is let in to ask the webhooks", "error", err)
			return nil, fmt.Errorf("whom clients' certificates must be of: %w", err)
		}
		c := base.Clone()
		c.ClientAuth, c.ClientCAs = tls.VerifyClientCertIfGiven, pool
		return c, nil
	}
	return out
}

// known answers only clients with a certificate, where certificates are asked for.
func (s *Server) known(h http.Handler) http.Handler {
	if s.opts.Clients == nil {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
			http.Error(w, "only API servers may ask, with a client certificate", http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, r)
	})
}
