package waive

import (
	"slices"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/syntax"
)

// Severities gives findings the severity that `rules.severity` of meshc.yaml sets
// for their codes, and leaves out those that are off. Rules have theirs already
// when they find something; an error is none that could be lowered: what it found
// does not compile, and a mesh without it would mean something else.
func Severities(found diag.List, set []syntax.RuleSeverity) diag.List {
	levels := map[diag.Code]string{}
	for _, s := range set {
		if Changeable(diag.Code(s.Code)) {
			levels[diag.Code(s.Code)] = s.Severity
		}
	}
	changed := func(f diag.Finding) bool { return levels[f.Code] != "" && f.Severity != diag.Error }
	if !slices.ContainsFunc(found, changed) {
		return found
	}
	out := make(diag.List, 0, len(found))
	for _, f := range found {
		if changed(f) {
			level, err := diag.ParseSeverity(levels[f.Code])
			if err != nil { // off
				continue
			}
			f.Severity = level
		}
		out = append(out, f)
	}
	return out.Sorted()
}

// Changeable tells whether meshc.yaml may set the severity of one of meshc's own
// codes: none of an error, and none of what meshc says of its own input.
func Changeable(code diag.Code) bool {
	_, own := diag.Lookup(code)
	return own && code.Waivable()
}
