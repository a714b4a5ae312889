package file

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
)

var protocols = []string{
	string(ir.HTTP), string(ir.HTTP2), string(ir.GRPC), string(ir.TCP), string(ir.TCPServerFirst), string(ir.TLS), string(ir.UDP),
}

// named reads NAMESPACE/NAME.
func (r *reader) named(n *yaml.Node, what string) text {
	t := r.text(n, what)
	if t.s == "" {
		return t
	}
	ns, name, _ := strings.Cut(t.s, "/")
	if !label(ns, false) || !label(name, true) {
		r.report(diag.New("MSH4512", t.at, "%s %q is not NAMESPACE/NAME", what, t.s).
			WithHelp("lower-case letters, digits and dashes, such as shop/cart"))
	}
	return t
}

func (r *reader) portName(n *yaml.Node) string {
	t := r.text(n, "the port's name")
	if t.s != "" && !label(t.s, false) {
		r.report(diag.New("MSH4512", t.at, "the port's name %q may hold lower-case letters, digits and dashes only", t.s))
	}
	return t.s
}

// label is a DNS label, or with dots a DNS subdomain.
func label(s string, dots bool) bool {
	most := 63
	if dots {
		most = 253
	}
	if s == "" || len(s) > most || !alnum(s[0]) || !alnum(s[len(s)-1]) {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !alnum(c) && c != '-' && (c != '.' || !dots || !alnum(s[i-1]) && s[i-1] != '-') {
			return false
		}
	}
	return true
}

func alnum(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }
