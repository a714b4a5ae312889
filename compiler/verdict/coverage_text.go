package verdict

import (
	"encoding/json"
	"fmt"
	"io"
)

// Text writes how much is exercised, and each part that no case does.
func (c *Coverage) Text(w io.Writer) error {
	p := &printer{w: w}
	p.printf("coverage %d%% (%d of %s)\n", c.Percent, c.Covered, plural(c.Total, "part"))
	if c.Covered < c.Total {
		p.printf("  no case exercises\n")
	}
	for _, part := range c.Parts {
		if len(part.Cases) > 0 {
			continue
		}
		p.printf("    %s\n", part.Place)
		if part.Match != nil {
			p.printf("      match %s\n", part.Match)
		}
	}
	c.textRules(p)
	return p.err
}

// textRules names the rules of one's own that never fired, and counts the others:
// those that are compiled in have samples that prove them.
func (c *Coverage) textRules(p *printer) {
	fired, own := 0, []RuleCount{}
	for _, r := range c.Rules {
		switch {
		case r.Fired > 0:
			fired++
		case r.Own:
			own = append(own, r)
		}
	}
	if len(c.Rules) > 0 {
		p.printf("rules: %d of %d fired\n", fired, len(c.Rules))
	}
	if len(own) > 0 {
		p.printf("  rules of your own that never fired\n")
	}
	for _, r := range own {
		p.printf("    %s %s (%s:%d)\n", r.Code, r.Title, r.File, r.Line)
	}
}

// JSONWith writes a run with its coverage as one JSON document.
func JSONWith(w io.Writer, cases []Case, c *Coverage) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(struct {
		report
		Coverage *Coverage `json:"coverage,omitempty"`
	}{newReport(cases), c})
}

// Short says in one sentence that it is less than asked; empty if it is not.
func (c *Coverage) Short(least int) string {
	if c.Percent >= least {
		return ""
	}
	return fmt.Sprintf("the cases exercise %d%% of the grants and splits, less than the %d%% of --min-coverage", c.Percent, least)
}
