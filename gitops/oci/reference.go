package oci

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"oras.land/oras-go/v2/registry"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"
	"oras.land/oras-go/v2/registry/remote/retry"
)

// Scheme starts every reference to a registry.
const Scheme = "oci://"

// IsReference tells a reference to a registry from a folder's name.
func IsReference(s string) bool { return strings.HasPrefix(s, Scheme) }

// Reference is a place in a registry: oci://HOST[:PORT]/NAME[:TAG][@DIGEST].
type Reference struct {
	at        registry.Reference
	plainHTTP bool
}

// Parse reads a reference; without tag and digest it is the tag latest. With
// plainHTTP the registry is asked without TLS.
func Parse(s string, plainHTTP bool) (Reference, error) {
	text, ok := strings.CutPrefix(s, Scheme)
	if !ok {
		return Reference{}, fmt.Errorf("%q does not start with %s", s, Scheme)
	}
	at, err := registry.ParseReference(text)
	if err != nil {
		return Reference{}, fmt.Errorf("%q is no reference of the form oci://HOST[:PORT]/NAME[:TAG][@DIGEST]: %w", s, err)
	}
	if at.Reference == "" {
		at.Reference = "latest"
	}
	return Reference{at, plainHTTP}, nil
}

// String is the reference as it is written.
func (r Reference) String() string { return Scheme + r.at.String() }

// Pinned tells whether the reference names a digest: what it leads to never changes.
func (r Reference) Pinned() bool { return r.at.ValidateReferenceAsDigest() == nil }

// At is the same repository at another tag or digest.
func (r Reference) At(reference string) Reference {
	r.at.Reference = reference
	return r
}

// answerWithin bounds the wait for the head of an answer; bodies may take longer.
const answerWithin = 20 * time.Second

// repository is a client of the registry, with the credentials that `docker
// login` keeps. They are read anew each time, because they are rotated.
func (r Reference) repository() (*remote.Repository, error) {
	store, err := credentials.NewStoreFromDocker(credentials.StoreOptions{})
	if err != nil {
		return nil, fmt.Errorf("credentials of docker's configuration: %w", err)
	}
	base := http.DefaultTransport.(*http.Transport).Clone()
	base.ResponseHeaderTimeout = answerWithin
	client := &auth.Client{
		Client:     &http.Client{Transport: retry.NewTransport(base)},
		Cache:      auth.NewCache(),
		Credential: credentials.Credential(store),
	}
	client.SetUserAgent("meshc")
	return &remote.Repository{Client: client, Reference: r.at, PlainHTTP: r.plainHTTP}, nil
}

// Digest is the digest that a pinned reference names; "" of another.
func (r Reference) Digest() string {
	if !r.Pinned() {
		return ""
	}
	return r.at.Reference
}
