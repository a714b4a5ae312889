package resolve

import (
	"time"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
)

// StaleLock tells whether a lock is older than meshc.yaml allows; 0: it allows any age.
func StaleLock(name string, known ir.Known, maxAge time.Duration, now time.Time) (diag.Finding, bool) {
	if maxAge == 0 {
		return diag.Finding{}, false
	}
	at := diag.Span{File: name, Line: 1, Col: 1}
	written, err := time.Parse(time.RFC3339, known.Header.At)
	if err != nil {
		return diag.New("MSH0206", at, "the lock does not say when it was written, and may be at most %s old", maxAge).
			WithHelp("write it anew with `meshc lock --update --from EXPORT`"), true
	}
	age := now.Sub(written)
	if age <= maxAge {
		return diag.Finding{}, false
	}
	return diag.New("MSH0206", at, "the lock was written %s ago, and may be at most %s old", age.Round(time.Hour), maxAge).
		WithEffect("services, ports and accounts may have changed since").
		WithHelp("write it anew with `meshc lock --update --from EXPORT`"), true
}
