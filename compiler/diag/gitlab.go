package diag

import "io"

// The part of a Code Quality report that GitLab reads.
type (
	quality struct {
		Description string    `json:"description"`
		CheckName   string    `json:"check_name"`
		Fingerprint string    `json:"fingerprint"`
		Severity    string    `json:"severity"`
		Location    qualityAt `json:"location"`
	}
	qualityAt struct {
		Path  string       `json:"path"`
		Lines qualityLines `json:"lines"`
	}
	qualityLines struct {
		Begin int `json:"begin"`
	}
)

var gitlabSeverity = map[Severity]string{Error: "critical", Warning: "major", Info: "info"}

// renderGitLab writes a Code Quality report: an array of findings that count.
func renderGitLab(w io.Writer, r Report) error {
	out := []quality{}
	ids := r.Findings.Marks()
	for i, f := range r.Findings {
		if !f.Counts() {
			continue
		}
		text := f.Message
		if f.Help != "" {
			text += "; help: " + f.Help
		}
		out = append(out, quality{
			Description: oneLine(text), CheckName: string(f.Code), Fingerprint: ids[i], Severity: gitlabSeverity[f.Severity],
			Location: qualityAt{Path: f.At().File, Lines: qualityLines{max(1, f.At().Line)}},
		})
	}
	return encode(w, out)
}
