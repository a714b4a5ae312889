package admin

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"strings"
	"time"
)

func secretsOf(dump object) Table {
	t := Table{Columns: []string{"NAME", "KIND", "STATE", "OF", "ENDS", "UPDATED"}}
	s := Section(dump, "secrets")
	for _, part := range [][2]string{
		{"static_secrets", "static"}, {"dynamic_active_secrets", "active"}, {"dynamic_warming_secrets", "warming"},
	} {
		for _, e := range list(s, part[0]) {
			secret := record(e, "secret")
			kind, of, ends := "unknown", "", ""
			switch {
			case secret["generic_secret"] != nil:
				kind = "token"
			case record(secret, "tls_certificate") != nil:
				kind = "certificate"
				of, ends = certificates(record(secret, "tls_certificate", "certificate_chain"), 1)
			case record(secret, "validation_context") != nil:
				kind = "roots"
				of, ends = certificates(record(secret, "validation_context", "trusted_ca"), 10)
			}
			t.Rows = append(t.Rows, []string{text(e, "name"), kind, part[1], of, ends, text(e, "last_updated")})
		}
	}
	return t
}

// Credential is what an Envoy proves its identity with, the leaf first, and the roots by
// which it judges others. Neither is there before it was sent.
type Credential struct {
	Chain, Roots []*x509.Certificate
}

// CredentialOf reads the secrets of a dump that are in use.
func CredentialOf(dump map[string]any) Credential {
	var out Credential
	for _, e := range list(Section(dump, "secrets"), "dynamic_active_secrets") {
		switch secret := record(e, "secret"); text(e, "name") {
		case "identity":
			out.Chain = parsed(record(secret, "tls_certificate", "certificate_chain"))
		case "roots":
			out.Roots = parsed(record(secret, "validation_context", "trusted_ca"))
		}
	}
	return out
}

// parsed are the certificates that a source holds inline. What is none is left out.
func parsed(source object) (out []*x509.Certificate) {
	data := []byte(text(source, "inline_string"))
	if raw := text(source, "inline_bytes"); raw != "" {
		var err error
		if data, err = base64.StdEncoding.DecodeString(raw); err != nil {
			return nil
		}
	}
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return out
		}
		if c, err := x509.ParseCertificate(block.Bytes); err == nil {
			out = append(out, c)
		}
	}
}

// certificates tells of the first of a chain, or of roots, whom they are for and when
// the first of these ends. Certificates are no secrets.
func certificates(source object, most int) (of, ends string) {
	var names []string
	var first time.Time
	for _, c := range parsed(source) {
		if len(names) == most {
			break
		}
		name := c.Subject.String()
		if len(c.URIs) > 0 {
			name = c.URIs[0].String()
		}
		names = append(names, fmt.Sprintf("%s (serial %x)", name, c.SerialNumber))
		if first.IsZero() || c.NotAfter.Before(first) {
			first = c.NotAfter
		}
	}
	if names == nil {
		return text(source, "filename"), ""
	}
	return strings.Join(names, ", "), first.UTC().Format(time.RFC3339)
}
