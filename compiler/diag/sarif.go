package diag

import (
	"io"
	"net/url"
	"slices"
	"strings"
)

// renderSARIF writes SARIF 2.1.0 as code scanning services take it: each result has
// one physical location with a line, fingerprints of its own, and what somebody
// accepted is suppressed, not left out.
func renderSARIF(w io.Writer, r Report) error {
	run := sarifRun{ColumnKind: "unicodeCodePoints", Results: []sarifResult{}}
	run.Tool.Driver = sarifDriver{Name: "meshc", Version: r.Tool, InformationURI: "https://github.com/meshc/meshc", Rules: sarifRules(r.Findings)}
	ids := r.Findings.Marks()
	for i, f := range r.Findings {
		result := inSARIF(f)
		result.RuleIndex = slices.IndexFunc(run.Tool.Driver.Rules, func(rule sarifRule) bool { return rule.ID == string(f.Code) })
		result.PartialFingerprints = map[string]string{"meshc/v1": ids[i]}
		run.Results = append(run.Results, result)
	}
	return encode(w, sarifLog{
		Schema:  "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
		Version: "2.1.0", Runs: []sarifRun{run},
	})
}

// sarifRules describes each code that was found, in order of code.
func sarifRules(l List) []sarifRule {
	rules := []sarifRule{}
	for _, f := range l {
		at, seen := slices.BinarySearchFunc(rules, string(f.Code), func(r sarifRule, id string) int { return strings.Compare(r.ID, id) })
		if seen {
			continue
		}
		rule := sarifRule{ID: string(f.Code), ShortDescription: sarifText{Text: f.Title}}
		rule.DefaultConfiguration.Level = sarifLevel[f.Severity]
		if e, ok := Lookup(f.Code); ok {
			rule.FullDescription = &sarifText{Text: e.Explain}
			rule.DefaultConfiguration.Level = sarifLevel[e.Build]
		}
		rule.Help = sarifText{Text: "Run: meshc explain " + string(f.Code)}
		rules = slices.Insert(rules, at, rule)
	}
	return rules
}

var sarifLevel = map[Severity]string{Error: "error", Warning: "warning", Info: "note"}

func inSARIF(f Finding) sarifResult {
	text := f.Message
	if f.Effect != "" {
		text += "\n\nEffect: " + f.Effect
	}
	if f.Help != "" {
		text += "\n\nHelp: " + f.Help
	}
	r := sarifResult{
		RuleID: string(f.Code), Level: sarifLevel[f.Severity], Message: sarifText{Text: text},
		Locations: []sarifLocation{{Physical: sarifPlace(f.At())}},
	}
	for _, l := range append(slices.Clone(f.Locations[1:]), f.Related...) {
		one := sarifLocation{ID: len(r.RelatedLocations) + 1, Physical: sarifPlace(l.Span)}
		if l.Label != "" {
			one.Message = &sarifText{Text: l.Label}
		}
		r.RelatedLocations = append(r.RelatedLocations, one)
	}
	if f.Waiver != nil {
		r.Suppressions = append(r.Suppressions, sarifSuppression{"external", accepted(f)})
	} else if f.Known {
		r.Suppressions = append(r.Suppressions, sarifSuppression{"external", "in the baseline"})
	}
	for _, x := range f.Fixes {
		r.Fixes = append(r.Fixes, sarifFixOf(x))
	}
	return r
}

func sarifPlace(s Span) sarifPhysical {
	p := sarifPhysical{Artifact: sarifArtifact{URI: fileURI(s.File)}, Region: sarifRegion{StartLine: max(1, s.Line)}}
	if s.Line > 0 {
		p.Region.StartColumn, p.Region.EndColumn = max(1, s.Col), s.EndCol
		if s.EndLine > s.Line {
			p.Region.EndLine = s.EndLine
		}
	}
	return p
}

// fileURI is a path as a reference relative to the repository, or a file URI when it
// is absolute. What has no file (a flag, a defect of meshc) points at the root.
func fileURI(path string) string {
	if path == "" {
		return "."
	}
	u := url.URL{Path: path}
	if strings.HasPrefix(path, "/") {
		u.Scheme = "file"
	}
	return u.String()
}

// sarifFixOf groups a fix's edits by file.
func sarifFixOf(x Fix) sarifFix {
	out := sarifFix{Description: sarifText{Text: x.Title}}
	for _, e := range x.Edits {
		uri := fileURI(e.File)
		at := slices.IndexFunc(out.ArtifactChanges, func(c sarifChange) bool { return c.Artifact.URI == uri })
		if at < 0 {
			at = len(out.ArtifactChanges)
			out.ArtifactChanges = append(out.ArtifactChanges, sarifChange{Artifact: sarifArtifact{URI: uri}})
		}
		region := sarifPlace(e.Span).Region
		if region.EndColumn == 0 {
			region.EndColumn = region.StartColumn // an insertion
		}
		c := &out.ArtifactChanges[at]
		c.Replacements = append(c.Replacements, sarifReplacement{Deleted: region, Inserted: sarifText{Text: e.NewText}})
	}
	return out
}
