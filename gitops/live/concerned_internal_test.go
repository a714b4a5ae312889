package live

import (
	"testing"

	"github.com/meshc/meshc/compiler/ir"
)

// Somebody waits for Programmed before he goes on: it is not said while a replica may
// still serve what was, and not kept from him by proxies that have nothing to do with it.
func TestProgrammedCountsWhomItConcerns(t *testing.T) {
	cart, other := ir.NewIdentity("cluster.local", "town", "cart"), ir.NewIdentity("cluster.local", "town", "other")
	here := func() Proxies {
		return Proxies{Digest: "new", Of: map[string]Count{string(cart): {2, 2}, string(other): {1, 0}}}
	}
	replica := func(digest string, n Count) map[string]string {
		return said(Proxies{Digest: digest, Of: map[string]Count{string(cart): n}})
	}
	for what, c := range map[string]struct {
		of              map[ir.Identity]bool
		said            []map[string]string
		status, message string
	}{
		"those concerned have it":             {map[ir.Identity]bool{cart: true}, nil, "True", "2 of 2 proxies acknowledged it"},
		"one that is concerned has it not":    {map[ir.Identity]bool{cart: true, other: true}, nil, "Unknown", "proxies are being told"},
		"all are concerned":                   {nil, nil, "Unknown", "proxies are being told"},
		"nobody is concerned":                 {map[ir.Identity]bool{}, nil, "True", "no connected proxy is concerned"},
		"another replica has told its own":    {map[ir.Identity]bool{cart: true}, []map[string]string{replica("new", Count{3, 3})}, "True", "5 of 5 proxies acknowledged it"},
		"another replica serves what was":     {map[ir.Identity]bool{cart: true}, []map[string]string{replica("old", Count{})}, "Unknown", "1 of the control plane's replicas did not say yet to serve it"},
		"another replica does not say enough": {map[ir.Identity]bool{}, []map[string]string{{"digest": "new", "connected": "3", "acknowledged": "3"}}, "Unknown", "1 of the control plane's replicas did not say yet to serve it"},
	} {
		p := here()
		for _, data := range c.said {
			p.add(data)
		}
		if is := conditionsOf(state{}, p, c.of, "new", false)[1]; string(is.status) != c.status || is.message != c.message {
			t.Errorf("%s: it says %s, %q; want %s, %q", what, is.status, is.message, c.status, c.message)
		}
	}
}
