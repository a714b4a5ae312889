package ir

import (
	"errors"
	"strings"
)

// The rules of the SPIFFE ID standard (sections 2.1 to 2.3).
var (
	errSpiffeScheme = errors.New("it does not start with spiffe://")
	errSpiffeLong   = errors.New("it is longer than 2048 bytes")
	errSpiffeDomain = errors.New("its trust domain may hold only a-z, 0-9, dots, dashes and underscores, and at most 255 of them")
	errSpiffePath   = errors.New("its path may hold only segments of letters, digits, dots, dashes and underscores, and has at least one")
)

// Check says why the id is not a SPIFFE id of a workload, nil when it is one.
func (id Identity) Check() error {
	rest, ok := strings.CutPrefix(string(id), "spiffe://")
	if !ok {
		return errSpiffeScheme
	}
	if len(id) > 2048 {
		return errSpiffeLong
	}
	domain, path, _ := strings.Cut(rest, "/")
	if !ValidTrustDomain(domain) {
		return errSpiffeDomain
	}
	for seg := range strings.SplitSeq(path, "/") {
		if seg == "" || seg == "." || seg == ".." || !only(seg, spiffeSegment) {
			return errSpiffePath
		}
	}
	return nil
}

// TrustDomain is the part of the id between spiffe:// and the path.
func (id Identity) TrustDomain() string {
	rest, _ := strings.CutPrefix(string(id), "spiffe://")
	domain, _, _ := strings.Cut(rest, "/")
	return domain
}

// ValidTrustDomain tells whether s may stand between spiffe:// and the path.
func ValidTrustDomain(s string) bool {
	return s != "" && len(s) <= 255 && only(s, spiffeDomain)
}

func only(s string, ok func(byte) bool) bool {
	for i := range len(s) {
		if !ok(s[i]) {
			return false
		}
	}
	return true
}

func spiffeDomain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '.' || c == '-' || c == '_'
}

func spiffeSegment(c byte) bool { return spiffeDomain(c) || c >= 'A' && c <= 'Z' }
