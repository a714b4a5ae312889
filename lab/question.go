package lab

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// question is the request that a case of a verdict table describes.
func question(trustDomain string, c syntax.VerdictCase) (ir.Request, error) {
	var r ir.Request
	if c.From != "outside" {
		id, ok := ir.ParseIdentity(trustDomain, c.From)
		if !ok {
			return r, fmt.Errorf("%q is neither an identity nor outside", c.From)
		}
		r.From = id
	}
	if external, ok := strings.CutPrefix(c.To, "external:"); ok {
		r.External = external
	} else {
		to, err := parsePort(c.To)
		if err != nil {
			return r, err
		}
		r.To = to
	}
	if c.HTTP != nil {
		r.HTTP = &ir.HTTPRequest{Method: c.HTTP.Method, Path: c.HTTP.Path}
		for _, h := range c.HTTP.Headers {
			r.HTTP.Headers = append(r.HTTP.Headers, ir.Header{Name: h.Name, Value: h.Regex})
		}
	}
	return r, nil
}

// parsePort reads NAMESPACE/SERVICE:PORT.
func parsePort(s string) (ir.PortID, error) {
	name, port, _ := strings.Cut(s, ":")
	namespace, service, ok := strings.Cut(name, "/")
	number, err := strconv.ParseUint(port, 10, 16)
	if !ok || err != nil || namespace == "" || service == "" {
		return ir.PortID{}, fmt.Errorf("%q is not NAMESPACE/SERVICE:PORT", s)
	}
	return ir.PortID{Service: ir.ServiceID{Namespace: namespace, Name: service}, Port: uint16(number)}, nil
}

// sentence reads "bookbuyer/bookbuyer to bookstore/bookstore:14001 GET /books".
func sentence(r ir.Request) string {
	from, to := r.From.Short(), r.To.String()
	if r.From == "" {
		from = "outside"
	}
	if r.External != "" {
		to = r.External
	}
	text := from + " to " + to
	if r.HTTP == nil {
		return text + " by TCP"
	}
	text += " " + r.HTTP.Method + " " + r.HTTP.Path
	for _, h := range r.HTTP.Headers {
		text += " " + h.Name + ":" + h.Value
	}
	return text
}
