package syntax

import (
	"strconv"
	"strings"
	"time"

	"github.com/meshc/meshc/compiler/ir"
)

// BreakGlass is a passage that somebody opens in a running cluster for a while: who
// may call what, why, who says so, and until when.
type BreakGlass struct {
	From string // NAMESPACE/SERVICEACCOUNT or a SPIFFE id
	To   ir.ServiceID
	Port uint16 // 0: every port of the service
	// Reason and By are for who reads the record later.
	Reason, By string
	// Until is the first moment at which it opens nothing any more; Created is when the
	// cluster took it, zero where nobody says.
	Until, Created time.Time
	// Ended: somebody ended it early, or it has come to its end.
	Ended bool
}

// Where is what it opens: NAMESPACE/SERVICE, with a port if it names one.
func (b *BreakGlass) Where() string {
	if b.Port == 0 {
		return b.To.String()
	}
	return ir.PortID{Service: b.To, Port: b.Port}.String()
}

func decodeBreakGlass(d *decoder, root *record) {
	b := &BreakGlass{}
	d.obj.BreakGlass = b
	b.Created = root.quiet("metadata").quietGet("creationTimestamp").moment()
	b.Ended = root.get("status").quietGet("endedAt") != nil
	spec := root.need("spec").record()
	if spec == nil {
		return
	}
	if from := spec.need("from"); from != nil {
		b.From = from.text()
		if _, ok := ir.ParseIdentity("x", b.From); !ok {
			f := from.fault("MSH0118", "%q is neither NAMESPACE/SERVICEACCOUNT nor a SPIFFE id", b.From)
			*f = f.WithHelp("name the service account of who calls, as shop/web")
		}
	}
	if to := spec.need("to"); to != nil {
		b.decodeTo(to)
	}
	b.Reason, b.By = spec.need("reason").said(), spec.need("by").said()
	b.Until = spec.need("until").moment()
	if by := spec.get("endedBy"); by != nil {
		b.Ended = by.said() != "" || b.Ended
	}
	spec.done()
}

func (b *BreakGlass) decodeTo(c *cursor) {
	written := c.text()
	service, port, numbered := strings.Cut(written, ":")
	ns, name, ok := strings.Cut(service, "/")
	ok = ok && isLabel(ns) && isLabel(name)
	if numbered {
		n, err := strconv.ParseUint(port, 10, 16)
		b.Port, ok = uint16(n), ok && err == nil && n > 0
	}
	if !ok {
		f := c.fault("MSH0118", "%q is no NAMESPACE/SERVICE[:PORT]", written)
		*f = f.WithHelp("name the service that is to be reached, as shop/cart:80; without a port all of its ports are meant")
		return
	}
	b.To = ir.ServiceID{Namespace: ns, Name: name}
}

// moment is a time with its zone (RFC 3339); zero where there is none.
func (c *cursor) moment() time.Time {
	if c == nil {
		return time.Time{}
	}
	s := c.quietText()
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		f := c.fault("MSH0118", "%q is not a time", s)
		*f = f.WithHelp("write day, time and zone, as 2027-01-31T18:00:00Z")
	}
	return t.UTC()
}
