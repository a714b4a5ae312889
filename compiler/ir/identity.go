package ir

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// Identity is a SPIFFE id: spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/SERVICEACCOUNT
// for the mesh's own workloads.
type Identity string

// NewIdentity is the id of a service account of the trust domain.
func NewIdentity(trustDomain, namespace, account string) Identity {
	return Identity("spiffe://" + trustDomain + "/ns/" + namespace + "/sa/" + account)
}

// Split takes an id of the mesh's own form apart; ok is false for any other id.
func (id Identity) Split() (trustDomain, namespace, account string, ok bool) {
	rest, found := strings.CutPrefix(string(id), "spiffe://")
	if !found || strings.Count(rest, "/") != 4 {
		return "", "", "", false
	}
	trustDomain, rest, _ = strings.Cut(rest, "/ns/")
	namespace, account, found = strings.Cut(rest, "/sa/")
	if !found || trustDomain == "" || namespace == "" || account == "" || strings.ContainsRune(trustDomain+namespace+account, '/') {
		return "", "", "", false
	}
	return trustDomain, namespace, account, true
}

// Short is namespace/serviceaccount for ids of the mesh's own form, else the id itself.
func (id Identity) Short() string {
	if _, ns, sa, ok := id.Split(); ok {
		return ns + "/" + sa
	}
	return string(id)
}

// ParseIdentity reads namespace/serviceaccount or a SPIFFE id.
func ParseIdentity(trustDomain, s string) (Identity, bool) {
	if strings.HasPrefix(s, "spiffe://") {
		return Identity(s), len(s) > len("spiffe://")
	}
	ns, sa, ok := strings.Cut(s, "/")
	if !ok || ns == "" || sa == "" || strings.Contains(sa, "/") {
		return "", false
	}
	return NewIdentity(trustDomain, ns, sa), true
}

// SNI is the hint by which a server's proxy picks the filter chain of a client:
// the first 32 hex digits of the SHA-256 of its id. The chain checks the certificate.
func (id Identity) SNI() string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:])[:32]
}
