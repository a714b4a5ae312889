package diag

import "strings"

// Waivable tells whether somebody may accept findings of a code. Errors of the
// compiler itself say that something could not be read, understood or resolved:
// there would be nothing defined to build. The same goes for MSH0xxx, what meshc
// says of its own input. Codes in no table are those of rules, which judge a mesh
// that is whole; so are MSH0620 to MSH0631, of how rules are written, and what policies
// of conftest say.
func (c Code) Waivable() bool {
	if c >= "MSH0620" && c <= "MSH0631" || c == "MSH0650" || c == "MSH0651" {
		return true
	}
	if strings.HasPrefix(string(c), "MSH0") {
		return false
	}
	e, ok := Lookup(c)
	return !ok || e.Build < Error
}
