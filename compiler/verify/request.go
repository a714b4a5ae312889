package verify

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/ir"
)

// request is a connection at a proxy, and the HTTP request on it if its bytes
// are one. Each proxy works on its own copy.
type request struct {
	to   netip.AddrPort // where it was dialled to
	tls  *hello         // nil: plain
	peer ir.Identity    // of the certificate that the chain has accepted
	ask  ir.Request     // as the client sends it
	http *ir.HTTPRequest
	from ir.Identity // of the proxy, where it is the client's
	// state is what filters said for the upstream connection.
	state map[string]string
	// hop is where its way through this proxy is written down; nil: nowhere.
	hop *Hop
}

// lines are the values of a header.
func (r *request) lines(name string) []string {
	if r.http == nil {
		return nil
	}
	seen := r.ask
	seen.HTTP = r.http
	return seen.Lines(name)
}

// normalise is what a connection manager does to the path before anything else.
func (r *request) normalise() bool {
	path, ok := ir.NormalisePath(r.http.Path)
	if ok && path != r.http.Path {
		next := *r.http
		next.Path = path
		r.http = &next
	}
	return ok
}

// connects tells of a CONNECT, which has an authority and no path.
func (r *request) connects() bool { return r.http.Method == "CONNECT" }

// drop removes the headers whose names the matchers take.
func (r *request) drop(names []test) {
	dropped := func(h ir.Header) bool {
		return slices.ContainsFunc(names, func(is test) bool { return is(strings.ToLower(h.Name)) })
	}
	if !slices.ContainsFunc(r.http.Headers, dropped) {
		return
	}
	next := *r.http
	next.Headers = slices.DeleteFunc(slices.Clone(next.Headers), dropped)
	r.http = &next
}

// answer is what a proxy makes of a request: an end, or shares to forward.
type answer struct {
	status  int    // of an HTTP end; 0: closed
	reason  string // of an end
	by      []string
	forward []share
	// reply is the status of an error at forwarding, by the flag Envoy gives it.
	reply func(status int, flag string) int
}

// share is a part of the requests that goes to a cluster.
type share struct {
	cluster string
	weight  uint32
}

func closed(reason string) *answer { return &answer{reason: reason} }

// variable is what the proxy's process has in its environment.
func (r *request) variable(name string) string {
	switch {
	case r.from == "":
		return ""
	case name == "MESHC_SNI":
		return r.from.SNI()
	case name == "MESHC_IDENTITY":
		return r.from.Short()
	}
	return ""
}
