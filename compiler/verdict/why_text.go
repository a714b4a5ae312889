package verdict

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/ir"
)

// mostNear is how many near misses a text shows.
const mostNear = 8

// Text writes the steps for people, indented by two spaces.
func (w *Why) Text(out io.Writer) error {
	p := &printer{w: out}
	w.textClient(p)
	for _, r := range w.Routes {
		verb := "takes it"
		if !r.Taken {
			verb = "does not take it"
		}
		p.printf("  route %s %s\n", r.Place, verb)
		for _, m := range r.Misses {
			p.printf("    %s\n", m)
		}
		if r.Taken {
			p.printf("    to %s\n", strings.Join(r.Shares, ", "))
		}
	}
	for i := range w.Servers {
		w.Servers[i].text(p)
	}
	if len(w.Near) > 0 {
		p.printf("  near misses, the nearest first\n")
	}
	groups := alike(w.Near)
	for i, g := range groups {
		if i == mostNear {
			p.printf("    and %d more (-o json has all)\n", len(groups)-i)
			break
		}
		nearText(p, g)
	}
	return p.err
}

// alike are the near misses, those together that differ in their grants alone; each
// stands where its first one does.
func alike(near []NearMiss) [][]NearMiss {
	var out [][]NearMiss
	for _, n := range near {
		i := slices.IndexFunc(out, func(g []NearMiss) bool { return g[0].like(n) })
		if i < 0 {
			out = append(out, []NearMiss{n})
		} else {
			out[i] = append(out[i], n)
		}
	}
	return out
}

// like tells of a match that several grants name, or of grants without one, that the
// same is lacking in each.
func (n NearMiss) like(o NearMiss) bool {
	same := n.Match == nil && o.Match == nil || n.Match != nil && o.Match != nil && *n.Match == *o.Match
	return same && n.anyGrant(n.Text) == o.anyGrant(o.Text)
}

// anyGrant is a sentence that may be about several grants.
func (n NearMiss) anyGrant(sentence string) string {
	if rest, ok := strings.CutPrefix(sentence, n.Grant.Name+" "); ok {
		return "each target " + rest
	}
	return strings.ReplaceAll(sentence, ", and "+n.Grant.Name+" ", ", and each target ")
}

// String is the name with its file and line.
func (p Place) String() string {
	if p.File == "" {
		return p.Name
	}
	return fmt.Sprintf("%s (%s:%d)", p.Name, p.File, p.Line)
}

func (w *Why) textClient(p *printer) {
	c := w.Client
	if c == nil {
		p.printf("  no client's proxy holds it\n")
		return
	}
	p.printf("  client's proxy of %s\n    listener %s", c.Identity, c.Listener)
	if c.Chain != "" && c.Chain != c.Listener {
		p.printf(", chain %s", c.Chain)
	}
	p.printf("\n")
	for _, g := range c.Given {
		p.printf("    given by %s\n", g)
	}
	switch {
	case len(c.Clusters) > 0:
		p.printf("    sends it to %s\n", strings.Join(c.Clusters, ", "))
	case c.Status != 0:
		p.printf("    answers %d: %s\n", c.Status, c.Reason)
	default:
		p.printf("    closes it: %s\n", c.Reason)
	}
}

func (s *ServerStep) text(p *printer) {
	p.printf("  server's proxy of %s, for %s (%s)\n    listener %s", s.Account, s.Service, s.Mode, s.Listener)
	if s.Chain != "" {
		p.printf(", chain %s", s.Chain)
	}
	p.printf("\n")
	if n := len(s.Policies); n > 0 && len(s.By) == 0 {
		p.printf("    RBAC tries %s: none lets it in\n", countOf(s.Policies))
	}
	for _, by := range s.By {
		p.printf("    RBAC lets it in by %s\n", by)
	}
	switch {
	case s.Outcome == ir.Allow:
		p.printf("    hands it to the workload\n")
	case s.Status != 0:
		p.printf("    answers %d: %s\n", s.Status, s.Reason)
	default:
		p.printf("    closes it: %s\n", s.Reason)
	}
}

// countOf names up to three policies, and counts the rest.
func countOf(all []Place) string {
	var names []string
	for i, at := range all {
		if i == 3 {
			names = append(names, fmt.Sprintf("%d more", len(all)-3))
			break
		}
		names = append(names, at.String())
	}
	return strings.Join(names, ", ")
}

// nearText writes misses that are alike but for their grants.
func nearText(p *printer, alike []NearMiss) {
	for i, l := range alike[0].Lacks {
		sentence := l.Sentence
		if len(alike) > 1 {
			sentence = alike[0].anyGrant(sentence)
		}
		p.printf("    %s%s\n", map[bool]string{true: "- ", false: "  "}[i == 0], sentence)
	}
	if m := alike[0].Match; m != nil {
		p.printf("      match %s\n", m)
	}
	for _, n := range alike {
		p.printf("      of %s\n", n.Grant)
	}
}
