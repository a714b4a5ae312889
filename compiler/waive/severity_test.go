package waive

import (
	"testing"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/syntax"
)

// Who sets a severity gets it, but no error becomes less than one: a build would
// lower what did not resolve.
func TestSeveritiesOfOwnCodes(t *testing.T) {
	find := func(code diag.Code) diag.Finding {
		return diag.New(code, diag.Span{File: "a.yaml", Line: 1, Col: 1}, "x")
	}
	if find("MSH3011").Severity != diag.Warning || find("MSH1002").Severity != diag.Error {
		t.Fatal("the codes of this test have other severities now")
	}
	for _, c := range []struct {
		code diag.Code
		set  string
		want diag.Severity
		gone bool
	}{
		{"MSH3011", "error", diag.Error, false},
		{"MSH3011", "info", diag.Info, false},
		{"MSH3011", "off", 0, true},
		{"MSH1002", "info", diag.Error, false},
		{"MSH1002", "off", diag.Error, false},
	} {
		got := Severities(diag.List{find(c.code), find("MSH2017")}, []syntax.RuleSeverity{{Code: string(c.code), Severity: c.set}})
		n := 0
		for _, f := range got {
			if f.Code == c.code {
				n++
				if f.Severity != c.want {
					t.Errorf("%s set to %s is %v", c.code, c.set, f.Severity)
				}
			}
		}
		if (n == 0) != c.gone || len(got) != n+1 {
			t.Errorf("%s set to %s: %v", c.code, c.set, got)
		}
	}
}
