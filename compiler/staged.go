package compiler

import (
	"slices"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/policies"
)

// staged gives findings the severity that the table of codes has for the stage, but
// where something else has given them one already.
func staged(found diag.List, stage policies.Stage) diag.List {
	if stage != policies.Admission && stage != policies.Live {
		return found
	}
	out := slices.Clone(found)
	for i, f := range out {
		e, ok := diag.Lookup(f.Code)
		if !ok || f.Severity != e.Build {
			continue
		}
		out[i].Severity = e.Admission
		if stage == policies.Live {
			out[i].Severity = e.Live
		}
	}
	return out
}
