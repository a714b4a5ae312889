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

func inJSON(f Finding) finding {
	f.Fingerprint = f.Mark()
	return finding{f.Severity.String(), f}
}

// renderJSON writes {"findings": [...]}, one object, indented.
func renderJSON(w io.Writer, r Report) error {
	out := struct {
		Findings []finding `json:"findings"`
	}{Findings: make([]finding, 0, len(r.Findings))}
	for _, f := range r.Findings {
		out.Findings = append(out.Findings, inJSON(f))
	}
	return encode(w, out)
}

// renderNDJSON writes one finding a line, for tools that read a stream.
func renderNDJSON(w io.Writer, r Report) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, f := range r.Findings {
		if err := enc.Encode(inJSON(f)); err != nil {
			return err
		}
	}
	return nil
}

func encode(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
