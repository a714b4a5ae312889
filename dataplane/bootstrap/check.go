package bootstrap

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
)

// endpoint is the control plane's address taken apart.
type endpoint struct {
	host string // a DNS name or an address
	port uint16
	name string // what its certificate must say
}

// check refuses what would start an Envoy that cannot be trusted or that
// nobody can reach.
func (o Options) check() (endpoint, error) {
	if err := o.Identity.Check(); err != nil {
		return endpoint{}, fmt.Errorf("identity %q: %w", o.Identity, err)
	}
	if !o.Admin.Addr().IsLoopback() {
		return endpoint{}, fmt.Errorf("admin address %s is not loopback: whoever reaches it commands the proxy", o.Admin)
	}
	switch {
	case len(o.CA) > 0 && o.CAFile != "":
		return endpoint{}, errors.New("both a CA and a file with one are given: give one")
	case (o.CAFile == "") != (o.CASecretFile == ""):
		return endpoint{}, errors.New("a file with a CA and the place of what Authority returns go together")
	case o.CAFile == "":
		if err := checkCA(o.CA); err != nil {
			return endpoint{}, err
		}
	}
	if err := o.checkCredential(); err != nil {
		return endpoint{}, err
	}
	return o.endpoint()
}

// checkCA insists on a pinned authority: a token must never reach a server that
// did not prove who it is.
func checkCA(data []byte) error {
	if len(data) == 0 {
		return errors.New("no CA of the control plane is given: without one the credential could be sent to anybody")
	}
	n := 0
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			return fmt.Errorf("the CA holds a PEM block of type %q: only certificates belong there", block.Type)
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return fmt.Errorf("the CA: %w", err)
		}
		n++
	}
	if n == 0 {
		return errors.New("the CA holds no certificate in PEM")
	}
	return nil
}

func (o Options) checkCredential() error {
	token, cert := o.TokenFile != "", o.CertFile != "" || o.KeyFile != ""
	switch {
	case token && cert:
		return errors.New("both a token and a client certificate are given: give one")
	case !token && !cert:
		return errors.New("no credential: give a token file, or a client certificate and its key")
	case cert && (o.CertFile == "" || o.KeyFile == ""):
		return errors.New("a client certificate and its key go together")
	case o.SecretsFile == "":
		return errors.New("no place is given for the file that Secrets returns")
	case filepath.Ext(o.SecretsFile) != ".json" && filepath.Ext(o.SecretsFile) != ".yaml":
		return fmt.Errorf("file %q must end in .json or .yaml: Envoy tells the format by it", o.SecretsFile)
	}
	for _, f := range []string{o.TokenFile, o.CertFile, o.KeyFile, o.SecretsFile, o.CAFile, o.CASecretFile} {
		if f != "" && !filepath.IsAbs(f) {
			return fmt.Errorf("file %q is not absolute: Envoy may run in another folder", f)
		}
	}
	return nil
}

func (o Options) endpoint() (endpoint, error) {
	host, port, err := net.SplitHostPort(o.ControlPlane)
	if err != nil {
		return endpoint{}, fmt.Errorf("control plane %q is not HOST:PORT", o.ControlPlane)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return endpoint{}, fmt.Errorf("control plane %q: %q is not a port", o.ControlPlane, port)
	}
	if host == "" || strings.ContainsAny(host, "/ \t\r\n") {
		return endpoint{}, fmt.Errorf("control plane %q has no host", o.ControlPlane)
	}
	e := endpoint{host: host, port: uint16(n), name: o.ServerName}
	if e.name == "" {
		e.name = host
	}
	return e, nil
}

func (e endpoint) isAddr() bool { _, err := netip.ParseAddr(e.host); return err == nil }
