package syntax

import (
	"strings"

	"github.com/meshc/meshc/compiler/diag"
)

// isLabel tells whether a name is a DNS label (RFC 1123).
func isLabel(s string) bool {
	if len(s) == 0 || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// isSubdomain tells whether a name is made of DNS labels, as Kubernetes has it.
func isSubdomain(s string) bool {
	if len(s) > 253 {
		return false
	}
	for part := range strings.SplitSeq(s, ".") {
		if len(part) > 63 {
			// Kubernetes bounds the whole name only.
			part = part[:60] + part[len(part)-1:]
		}
		if !isLabel(part) {
			return false
		}
	}
	return true
}

// dnsLabel is a text that must be a DNS label; "" is left to others.
func (c *cursor) dnsLabel() string {
	s := c.quietText()
	if s != "" && !isLabel(s) {
		c.badName(s, "lower-case letters, digits and hyphens, at most 63, beginning and ending with a letter or digit", isLabel)
	}
	return s
}

// dnsSubdomain is a text that must be a DNS subdomain; "" is left to others.
func (c *cursor) dnsSubdomain() string {
	s := c.quietText()
	if s != "" && !isSubdomain(s) {
		c.badName(s, subdomainForm, isSubdomain)
	}
	return s
}

const subdomainForm = "lower-case letters, digits, hyphens and dots, at most 253, beginning and ending with a letter or digit"

// WrongName tells what the names of routes and targets hold, if one does not; else "".
func WrongName(name string) string {
	if isSubdomain(name) {
		return ""
	}
	return subdomainForm
}

func (c *cursor) badName(s, form string, ok func(string) bool) {
	f := c.fault("MSH0108", "%q is not a name that Kubernetes takes", s)
	*f = f.WithHelp("names hold %s", form)
	mended := strings.ToLower(strings.NewReplacer("_", "-", " ", "-").Replace(strings.TrimSpace(s)))
	if mended != s && ok(mended) {
		*f = f.WithHelp("names hold %s; perhaps %q?", form, mended).
			WithFix("write "+mended, diag.Edit{Span: c.span(), NewText: mended})
	}
}
