// Package file reads a mesh catalog from one YAML file: static machines and
// VMs, or what a lab or an export wrote. In comes the file, again and again as
// it changes; out go snapshots, and findings at their lines. It knows nothing
// of Envoy and nothing of policy. The format: docs/catalog.md.
package file

import (
	"fmt"
	"strings"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/compiler/diag"
)

// The head of a catalog's document, and the trust domain where it names none.
const (
	APIVersion         = "meshc.dev/v1alpha1"
	Kind               = "Catalog"
	DefaultTrustDomain = "cluster.local"
)

// maxSize bounds a catalog, in bytes: some hundred thousand endpoints.
const maxSize = 64 << 20

// Parse reads a catalog. display is the path that findings show. The snapshot
// is nil when a finding is an error.
func Parse(display string, data []byte) (*catalog.Snapshot, diag.List) {
	r := &reader{file: display, lines: strings.Split(string(data), "\n")}
	root := r.document(data)
	if root == nil {
		return nil, r.findings.Sorted()
	}
	doc := r.catalog(root)
	snap := r.build(doc)
	if r.findings.HasErrors() {
		return nil, r.findings.Sorted()
	}
	return snap, r.findings.Sorted()
}

// Invalid is the error of a catalog with findings that are errors.
type Invalid struct{ Findings diag.List }

// Error names the first fault and counts the rest.
func (e *Invalid) Error() string {
	for i, f := range e.Findings {
		if f.Severity != diag.Error {
			continue
		}
		more := ""
		if n := len(e.Findings) - i - 1; n > 0 {
			more = fmt.Sprintf(" (and %d more)", n)
		}
		return fmt.Sprintf("%s: %s [%s]%s", f.At(), f.Message, f.Code, more)
	}
	return "the catalog is not valid"
}
