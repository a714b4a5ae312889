package verdict

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// Outside is the source of a client without an identity, dialling in plain.
const Outside = "outside"

// External is the prefix of a destination outside the mesh.
const External = "external:"

// Methods are the HTTP methods a request may have, in SMI as in a table.
var Methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}

// Question is the request that a case of a table asks about.
func Question(trustDomain string, c syntax.VerdictCase) (ir.Request, error) {
	var r ir.Request
	var err error
	if r.From, err = Source(trustDomain, c.From); err != nil {
		return r, err
	}
	if r.To, r.External, err = Destination(c.To); err != nil {
		return r, err
	}
	if c.HTTP != nil {
		r.HTTP = &ir.HTTPRequest{Method: c.HTTP.Method, Path: c.HTTP.Path}
		for _, h := range c.HTTP.Headers {
			r.HTTP.Headers = append(r.HTTP.Headers, ir.Header{Name: h.Name, Value: h.Regex})
		}
	}
	return r, nil
}

// Source reads namespace/serviceaccount, a SPIFFE id, or outside (no identity).
func Source(trustDomain, s string) (ir.Identity, error) {
	if s == Outside {
		return "", nil
	}
	id, ok := ir.ParseIdentity(trustDomain, s)
	if !ok {
		return "", fmt.Errorf("%q is not NAMESPACE/SERVICEACCOUNT, a SPIFFE id or %s", s, Outside)
	}
	return id, nil
}

// Destination reads namespace/service:port, or external:HOST:PORT.
func Destination(s string) (to ir.PortID, external string, err error) {
	if rest, ok := strings.CutPrefix(s, External); ok {
		if _, _, ok := ir.HostPort(rest); !ok {
			return to, "", fmt.Errorf("%q is not %sHOST:PORT", s, External)
		}
		return to, rest, nil
	}
	name, port, _ := strings.Cut(s, ":")
	namespace, service, ok := strings.Cut(name, "/")
	number, err := strconv.ParseUint(port, 10, 16)
	if !ok || err != nil || number == 0 || namespace == "" || service == "" || strings.Contains(service, "/") {
		return to, "", fmt.Errorf("%q is not NAMESPACE/SERVICE:PORT or %sHOST:PORT", s, External)
	}
	return ir.PortID{Service: ir.ServiceID{Namespace: namespace, Name: service}, Port: uint16(number)}, "", nil
}

// checkHTTP says what is wrong with a request that no client would send.
func checkHTTP(h *ir.HTTPRequest) (field string, err error) {
	switch {
	case slices.Contains(Methods, h.Method):
	case slices.Contains(Methods, strings.ToUpper(h.Method)):
		return "method", fmt.Errorf("method %q is written %s", h.Method, strings.ToUpper(h.Method))
	default:
		return "method", fmt.Errorf("method %q is none of %s", h.Method, strings.Join(Methods, ", "))
	}
	if !strings.HasPrefix(h.Path, "/") {
		return "path", fmt.Errorf("path %q does not begin with a slash", h.Path)
	}
	for _, line := range h.Headers {
		if line.Name == "" || strings.HasPrefix(line.Name, ":") || strings.ContainsAny(line.Name, " \t\r\n:") {
			return "headers", fmt.Errorf("%q is not the name of a header", line.Name)
		}
		if strings.ContainsAny(line.Value, "\r\n\x00") {
			return "headers", fmt.Errorf("the value of header %q has a line break", line.Name)
		}
	}
	return "", nil
}

// CheckHTTP says what is wrong with a request that no client would send.
func CheckHTTP(h *ir.HTTPRequest) error {
	_, err := checkHTTP(h)
	return err
}

// Sentence reads "bookbuyer/bookbuyer to bookstore/bookstore:14001 GET /books".
func Sentence(r ir.Request) string {
	from, to := r.From.Short(), r.To.String()
	if r.From == "" {
		from = Outside
	}
	if r.External != "" {
		to = External + r.External
	}
	text := from + " to " + to + " "
	if r.HTTP == nil {
		return text + "by TCP"
	}
	text += r.HTTP.Method + " " + r.HTTP.Path
	for _, h := range r.HTTP.Headers {
		text += " " + h.Name + ":" + h.Value
	}
	return text
}
