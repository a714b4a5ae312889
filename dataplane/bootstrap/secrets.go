package bootstrap

import (
	"fmt"
	"path/filepath"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/types/known/anypb"
)

// The names of the credential in SecretsFile.
const (
	tokenSecret = "token"
	certSecret  = "client"
	rootsSecret = "control-plane" // who signs the control plane's certificate
)

// Secrets is what Options.SecretsFile must hold: a discovery response that
// names the credential's files, no secret by itself. Envoy reads those files
// anew when their folder sees a rename, which it does for secrets by SDS only;
// that is why this cannot stand in the bootstrap.
func Secrets(o Options) ([]byte, error) {
	if err := o.checkCredential(); err != nil {
		return nil, fmt.Errorf("bootstrap: %w", err)
	}
	s := &tlsv3.Secret{}
	if o.TokenFile != "" {
		s.Name = tokenSecret
		s.Type = &tlsv3.Secret_GenericSecret{GenericSecret: &tlsv3.GenericSecret{Secret: watched(o.TokenFile)}}
	} else {
		s.Name = certSecret
		s.Type = &tlsv3.Secret_TlsCertificate{TlsCertificate: &tlsv3.TlsCertificate{
			CertificateChain: file(o.CertFile), PrivateKey: file(o.KeyFile),
			WatchedDirectory: &corev3.WatchedDirectory{Path: filepath.Dir(o.CertFile)},
		}}
	}
	return Print(&discoveryv3.DiscoveryResponse{Resources: []*anypb.Any{pack(s)}})
}

// Authority is what Options.CASecretFile must hold: like Secrets, it names a file
// that Envoy is to watch. Envoy takes one secret from a file.
func Authority(o Options) ([]byte, error) {
	if o.CAFile == "" || !filepath.IsAbs(o.CAFile) {
		return nil, fmt.Errorf("bootstrap: CA file %q is not an absolute path", o.CAFile)
	}
	return Print(&discoveryv3.DiscoveryResponse{Resources: []*anypb.Any{pack(&tlsv3.Secret{
		Name: rootsSecret,
		Type: &tlsv3.Secret_ValidationContext{ValidationContext: &tlsv3.CertificateValidationContext{
			TrustedCa:        file(o.CAFile),
			WatchedDirectory: &corev3.WatchedDirectory{Path: filepath.Dir(o.CAFile)},
		}},
	})}})
}

func (o Options) secret(name string) *tlsv3.SdsSecretConfig { return fromFile(name, o.SecretsFile) }

func fromFile(name, path string) *tlsv3.SdsSecretConfig {
	return &tlsv3.SdsSecretConfig{Name: name, SdsConfig: &corev3.ConfigSource{
		ResourceApiVersion: corev3.ApiVersion_V3,
		ConfigSourceSpecifier: &corev3.ConfigSource_PathConfigSource{
			PathConfigSource: &corev3.PathConfigSource{Path: path},
		},
	}}
}

func file(path string) *corev3.DataSource {
	return &corev3.DataSource{Specifier: &corev3.DataSource_Filename{Filename: path}}
}

func watched(path string) *corev3.DataSource {
	d := file(path)
	d.WatchedDirectory = &corev3.WatchedDirectory{Path: filepath.Dir(path)}
	return d
}
