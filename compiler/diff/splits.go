package diff

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/meshc/meshc/compiler/ir"
)

// splits compares where calls go. Other shares for the same leaves change
// nothing that a caller may do; another leaf may take what the old one refused.
func (c *comparison) splits() {
	var roots []ir.ServiceID
	for _, sp := range slices.Concat(c.old.Splits, c.new.Splits) {
		roots = append(roots, sp.Root)
	}
	for _, root := range both(roots, nil, ir.ServiceID.Compare) {
		before, after := c.old.splitsOf(root), c.new.splitsOf(root)
		if !slices.EqualFunc(before, after, c.sameSplit) {
			c.split(root, before, after)
		}
	}
}

// sameSplit tells whether two splits mean the same, whatever they are called.
func (c *comparison) sameSplit(a, b ir.Split) bool {
	if len(a.Backends) != len(b.Backends) || (len(a.Matches) == 0) != (len(b.Matches) == 0) {
		return false
	}
	whole := func(sp ir.Split) (sum uint64) {
		for _, b := range sp.Backends {
			sum += uint64(b.Weight)
		}
		return sum
	}
	for i, x := range a.Backends {
		y := b.Backends[i]
		if x.Service != y.Service || x.Missing != y.Missing || !slices.Equal(x.Ports, y.Ports) ||
			uint64(x.Weight)*whole(b) != uint64(y.Weight)*whole(a) {
			return false
		}
	}
	return c.equal(classesOf(a.Matches), classesOf(b.Matches))
}

func classesOf(matches []ir.Match) []class {
	var out []class
	for _, m := range matches {
		if c, ok := classOf(m); ok {
			out = append(out, c)
		}
	}
	return out
}

// equal tells whether two unions are certainly the same requests.
func (c *comparison) equal(a, b []class) bool {
	return len(c.weigher.beyond(a, b)) == 0 && len(c.weigher.beyond(b, a)) == 0
}

// sameBranches tells whether two ports route alike but for the shares.
func (c *comparison) sameBranches(a, b []branch) bool {
	return slices.EqualFunc(a, b, func(a, b branch) bool {
		return a.always == b.always && a.outside == b.outside && slices.Equal(a.leaves, b.leaves) && c.equal(a.matches, b.matches)
	})
}

func (s *side) splitsOf(root ir.ServiceID) []ir.Split {
	var out []ir.Split
	for _, sp := range s.Splits {
		if sp.Root == root {
			out = append(out, sp)
		}
	}
	return out
}

func (c *comparison) split(root ir.ServiceID, before, after []ir.Split) {
	change := Change{Kind: Split, Services: []ir.ServiceID{root}}
	change.Text = fmt.Sprintf("calls to %s: %s, was %s", root, orItself(splitText(after)), orItself(splitText(before)))
	for _, sp := range before {
		change.Causes = append(change.Causes, c.old.cause(sp.Name, true))
	}
	for _, sp := range after {
		change.Causes = append(change.Causes, c.new.cause(sp.Name, false))
	}
	r := c.rerouted(root)
	change.Effect = effect(len(r.gainers) > 0 || r.leaving, len(r.losers) > 0 || r.staying, !r.unsure)
	var notes []string
	if len(r.gainers) > 0 {
		notes = append(notes, "calls by it newly allowed: of "+some(r.gainers))
	}
	if len(r.losers) > 0 {
		notes = append(notes, "calls by it no longer all allowed: of "+some(r.losers))
	}
	if r.leaving {
		notes = append(notes, "some calls now leave the mesh")
	}
	if r.staying {
		notes = append(notes, "calls no longer leave the mesh")
	}
	change.Note = strings.Join(notes, "; ")
	c.add(change)
}

// rerouting is who can send a root more or less than before.
type rerouting struct {
	gainers, losers []string
	unsure          bool // one of the comparisons was too large
	// leaving: calls begin to go to workloads outside the mesh; staying: they cease to.
	leaving, staying bool
}

func (c *comparison) rerouted(root ir.ServiceID) rerouting {
	var r rerouting
	was, ok1 := c.old.Service(root)
	is, ok2 := c.new.Service(root)
	if !ok1 || !ok2 {
		return r // the service itself comes or goes
	}
	for i := range is.Ports {
		port := &is.Ports[i]
		before, ok := was.Port(port.Number)
		if !ok || port.Protocol == ir.UDP || before.Protocol == ir.UDP {
			continue
		}
		old, new := c.old.branches(was, before), c.new.branches(is, port)
		if c.sameBranches(old, new) {
			continue
		}
		outside := func(b branch) bool { return b.outside }
		wasOut, isOut := slices.ContainsFunc(old, outside), slices.ContainsFunc(new, outside)
		r.leaving = r.leaving || isOut && c.leaves()
		r.staying = r.staying || wasOut
		for _, source := range c.callers(old, new) {
			c.reroute(&r, source, c.old.port(before, old, source), c.new.port(port, new, source))
		}
	}
	return r
}

// bounds are a set that holds all that a source can send to a port, and one of
// which it can send all.
type bounds struct{ most, least reach }

func (s *side) port(port *ir.Port, branches []branch, source ir.Identity) bounds {
	return bounds{s.most(source, port, branches), s.least(source, port, branches)}
}

func (c *comparison) reroute(r *rerouting, source ir.Identity, old, new bounds) {
	name := Everyone
	if source != "" {
		name = source.Short()
	}
	gained, lost := c.more(new.most, old.least), c.more(old.most, new.least)
	r.unsure = r.unsure || gained == unsure || lost == unsure
	if gained == yes && !slices.Contains(r.gainers, name) {
		r.gainers = append(r.gainers, name)
	}
	if lost == yes && !slices.Contains(r.losers, name) {
		r.losers = append(r.losers, name)
	}
}

// callers are who may call a leaf of either side; "" stands for a member that no
// grant names.
func (c *comparison) callers(old, new []branch) []ir.Identity {
	out := []ir.Identity{""}
	add := func(s *side, branches []branch) {
		for _, b := range branches {
			for _, id := range b.leaves {
				svc, _ := s.Service(id.Service)
				for _, a := range svc.Accounts {
					out = append(out, s.sources[door{id, a}]...)
				}
			}
		}
	}
	add(c.old, old)
	add(c.new, new)
	slices.Sort(out)
	return slices.Compact(out)
}

// more tells whether a reach holds something that another does not.
func (c *comparison) more(a, b reach) answer {
	if a.raw && !b.raw {
		return yes
	}
	if len(a.http)*len(b.http) > mostClasses*mostClasses {
		return unsure
	}
	out := no
	for _, e := range c.weigher.beyond(a.http, b.http) {
		if e.example != nil {
			return yes
		}
		out = unsure
	}
	return out
}

func orItself(s string) string {
	if s == "" {
		return "all to itself"
	}
	return s
}

// splitText is the splits of a root in words.
func splitText(splits []ir.Split) string {
	var out []string
	for _, sp := range splits {
		total := uint64(0)
		for _, b := range sp.Backends {
			total += uint64(b.Weight)
		}
		var shares []string
		for _, b := range sp.Backends {
			share := fmt.Sprintf("%s%% to %s", percent(b.Weight, total), b.Service.Name)
			if b.Missing {
				share += " (missing)"
			}
			shares = append(shares, share)
		}
		text := strings.Join(shares, ", ")
		if text == "" {
			text = "nowhere"
		}
		var classes []string
		for _, c := range classesOf(sp.Matches) {
			classes = append(classes, strings.TrimPrefix(newRequests(excess{class: c}).String(), "send "))
		}
		if len(sp.Matches) > 0 {
			text += " for " + strings.Join(classes, " or ")
		}
		out = append(out, text)
	}
	return strings.Join(out, "; ")
}

func percent(weight uint32, total uint64) string {
	if total == 0 {
		return "0"
	}
	return strings.TrimSuffix(strings.TrimSuffix(strconv.FormatFloat(float64(weight)*100/float64(total), 'f', 2, 64), "0"), ".0")
}
