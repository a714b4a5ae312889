package diag

import (
	"encoding/json"
	"io"
)

// finding adds to a Finding what JSON needs in words.
type finding struct {
	Severity string `json:"severity"`
	Finding
}

// renderJSON writes {"findings": [...]}, one object, indented.
func renderJSON(w io.Writer, r Report) error {
	out := struct {
		Findings []finding `json:"findings"`
	}{Findings: make([]finding, 0, len(r.Findings))}
	for _, f := range r.Findings {
		if f.Fingerprint == "" {
			f.Fingerprint = fingerprint(f)
		}
		out.Findings = append(out.Findings, finding{f.Severity.String(), f})
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(out)
}
