package file

import (
	"fmt"
	"net/netip"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/compiler/diag"
)

func (r *reader) locality(n *yaml.Node) (l catalog.Locality) {
	part := func(name string, into *string) field {
		return field{name, false, func(n *yaml.Node) { *into = r.text(n, name).s }}
	}
	r.fields(n, "locality", part("region", &l.Region), part("zone", &l.Zone), part("subZone", &l.SubZone))
	return l
}

func (r *reader) addresses(n *yaml.Node, what string) (out []address) {
	seen := map[netip.Addr]bool{}
	r.list(n, what, func(n *yaml.Node) {
		a := r.address(n, "an address in "+what)
		switch {
		case !a.IsValid():
		case seen[a.Addr]:
			r.report(diag.New("MSH4504", a.at, "address %s stands twice in %s", a.Addr, what))
		default:
			seen[a.Addr] = true
			out = append(out, a)
		}
	})
	return out
}

type address struct {
	netip.Addr
	at diag.Span
}

// address refuses what no packet can be sent to, and forms that name one address twice.
func (r *reader) address(n *yaml.Node, what string) address {
	t := r.text(n, what)
	a := address{at: t.at}
	if t.s == "" {
		return a
	}
	addr, err := netip.ParseAddr(t.s)
	why := ""
	switch {
	case err != nil:
		why = "it is not an IPv4 or IPv6 address"
	case addr.Zone() != "":
		why = "it has a zone, which means something on one machine only"
	case addr.Is4In6():
		why = fmt.Sprintf("write it as %s", addr.Unmap())
	case addr.IsUnspecified() || addr.IsMulticast():
		why = "nothing can be reached there"
	default:
		a.Addr = addr
		return a
	}
	r.report(diag.New("MSH4505", t.at, "%s %q cannot be taken: %s", what, t.s, why))
	return a
}

func (r *reader) prefixes(n *yaml.Node, what string) (out []netip.Prefix) {
	r.list(n, what, func(n *yaml.Node) {
		t := r.text(n, "a range in "+what)
		if t.s == "" {
			return
		}
		p, err := netip.ParsePrefix(t.s)
		switch {
		case err != nil:
			r.report(diag.New("MSH4505", t.at, "%q is not a range", t.s).WithHelp("write ADDRESS/BITS, such as 10.96.0.0/16"))
		case p != p.Masked():
			r.report(diag.New("MSH4505", t.at, "range %s has bits past its mask", t.s).WithHelp("did you mean %s?", p.Masked()))
		default:
			out = append(out, p)
		}
	})
	return out
}

// choice reads one of some words.
func (r *reader) choice(n *yaml.Node, what string, words []string) string {
	t := r.text(n, what)
	if t.s == "" {
		return ""
	}
	for _, w := range words {
		if w == t.s {
			return w
		}
	}
	f := diag.New("MSH4503", t.at, "%s %q is none of %s", what, t.s, strings.Join(words, ", "))
	if near := diag.Nearest(t.s, words); near != "" {
		f = f.WithHelp("did you mean %q?", near)
	}
	r.report(f)
	return ""
}
