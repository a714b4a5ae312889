package ir_test

import (
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler/ir"
)

func TestIdentityCheck(t *testing.T) {
	for _, ok := range []ir.Identity{"spiffe://cluster.local/ns/a/sa/b", "spiffe://a/b", "spiffe://a_b-c.d/Up/..x"} {
		if err := ok.Check(); err != nil {
			t.Errorf("%s: %v", ok, err)
		}
	}
	for _, bad := range []ir.Identity{"", "a/b", "spiffe://", "spiffe:///a", "spiffe://A/b", "spiffe://a", "spiffe://a/", "spiffe://a/b/",
		"spiffe://a//b", "spiffe://a/./b", "spiffe://a/..", "spiffe://a/b c", "spiffe://a/b%20c", "spiffe://a:80/b", "spiffe://u@a/b", "spiffe://a/b?c", "spiffe://a/b#c",
		"spiffe://a/é", ir.Identity("spiffe://a/" + strings.Repeat("b", 2048))} {
		if bad.Check() == nil {
			t.Errorf("%q passes for a SPIFFE id", bad)
		}
	}
}
