package cache

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"

	"github.com/meshc/meshc/xds/link"
)

// The names of the secrets, the same for every proxy.
const (
	Identity = "identity" // the proxy's certificate and key
	Roots    = "roots"    // the trust bundle
)

// reported asks the issuer whether a certificate that the proxy says it has may stay.
func (s *Session) reported(version string) *link.Resource {
	r := s.opts.leaf(version)
	if r != nil {
		s.secrets[Identity] = r
	}
	return r
}

// certify makes the proxy's certificate if there is none, or none with its bytes.
func (s *Session) certify() {
	if hasBytes(s.secrets[Identity]) {
		return
	}
	if r := s.opts.leaf(""); r != nil {
		s.secrets[Identity] = r
	}
}

func (o Options) leaf(reported string) *link.Resource {
	if o.Leaf == nil {
		return nil
	}
	return o.Leaf(reported)
}

// stateVersion is the version of all that a client has of a type. Of secrets it
// is readable, so that a client that comes back can say which leaf it has.
func stateVersion(t link.Type, held map[string]*entry) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(held)) {
		if r := held[name].sent; r != nil {
			b.WriteString(name + "=" + r.Version + ";")
		}
	}
	if t == link.Secret {
		return b.String()
	}
	sum := sha256.Sum256([]byte(b.String()))
	return hex.EncodeToString(sum[:])
}

func parseState(version string) map[string]string {
	out := map[string]string{}
	for _, pair := range strings.Split(version, ";") {
		if name, v, ok := strings.Cut(pair, "="); ok {
			out[name] = v
		}
	}
	return out
}
