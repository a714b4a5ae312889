package ir

import (
	"slices"
	"strings"
)

// ClientCertHeader is the header in which proxies tell a workload who calls. What
// a client says in it is dropped, and no policy sees it.
const ClientCertHeader = "x-forwarded-client-cert"

// proxyHeaders are written, completed or taken away by the proxies on the way, so
// that what a policy would see there is not what the client said. The last ones
// are for one hop only (RFC 9110, 7.6.1; 10.1.1 for expect).
var proxyHeaders = []string{
	ClientCertHeader, "x-forwarded-proto", "x-request-id",
	"connection", "expect", "keep-alive", "proxy-connection", "te", "transfer-encoding",
}

// ProxyHeader tells of a header's name, in lower case, whether it is the proxies'
// own: no match on it ever holds.
func ProxyHeader(name string) bool {
	return strings.HasPrefix(name, "x-envoy-") || slices.Contains(proxyHeaders, name)
}

// Holds tells whether there is a request that the match can take.
func (m Match) Holds() bool {
	return !slices.ContainsFunc(m.Headers, func(h HeaderMatch) bool { return ProxyHeader(h.Name) })
}
