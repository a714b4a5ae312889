package diff

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/meshc/meshc/compiler/ir"
)

func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return strconv.Itoa(n) + " " + noun
}

// settings compares modes, plaintext and egress of the mesh and of each
// namespace, and what else reaches proxies.
func (c *comparison) settings() {
	a, b := c.old.Settings, c.new.Settings
	c.scope("", ir.Namespace{Mode: a.Mode, PlaintextAllowed: a.PlaintextAllowed, EgressAllowed: a.EgressAllowed},
		ir.Namespace{Mode: b.Mode, PlaintextAllowed: b.PlaintextAllowed, EgressAllowed: b.EgressAllowed})
	for _, ns := range both(c.old.Namespaces, c.new.Namespaces, func(a, b ir.Namespace) int { return strings.Compare(a.Name, b.Name) }) {
		c.scope(ns.Name, c.old.Namespace(ns.Name), c.new.Namespace(ns.Name))
	}
	c.ranges()
	for _, s := range []struct{ what, before, after string }{
		{"the name of the mesh", a.Name, b.Name},
		{"clusterDomain", a.ClusterDomain, b.ClusterDomain},
		{"compat", string(a.Compat), string(b.Compat)},
		{"denial.body", onOff(a.DenialBody), onOff(b.DenialBody)},
		{"denial.header", onOff(a.DenialHeader), onOff(b.DenialHeader)},
		{"tcpDrain", a.TCPDrain.String(), b.TCPDrain.String()},
		{"maxStreamDuration", a.MaxStreamDuration.String(), b.MaxStreamDuration.String()},
		{"certificates.leaf", lifetime(a.Certificates.Leaf), lifetime(b.Certificates.Leaf)},
		{"certificates.intermediate", lifetime(a.Certificates.Intermediate), lifetime(b.Certificates.Intermediate)},
	} {
		if s.before != s.after {
			c.add(Change{Kind: Setting, Effect: Changed, Text: fmt.Sprintf("%s changes from %s to %s", s.what, s.before, s.after)})
		}
	}
	c.grace(a.Certificates, b.Certificates)
}

// grace compares how long a proxy is let on whose identity nobody can check: longer is
// more than before.
func (c *comparison) grace(a, b ir.Lifetimes) {
	before, was := graceOf(a)
	after, is := graceOf(b)
	effect := Changed
	switch {
	case is > was:
		effect = Widened
	case is < was:
		effect = Narrowed
	case before == after:
		return
	}
	c.add(Change{Kind: Setting, Effect: effect, Text: fmt.Sprintf("authGrace changes from %s to %s: so long a proxy is let on while its identity cannot be checked", before, after)})
}

func lifetime(d time.Duration) string {
	if d == 0 {
		return "the control plane's own"
	}
	return d.String()
}

// graceOf is how long tokens count past their end, for people and as it is.
func graceOf(l ir.Lifetimes) (string, time.Duration) {
	switch {
	case l.Grace < 0:
		return "off", 0
	case l.Grace > 0:
		return l.Grace.String(), l.Grace
	}
	half := cmp.Or(l.Leaf, 24*time.Hour) / 2
	return "half a leaf's life, " + half.String(), half
}

func onOff(b bool) string {
	if b {
		return "on"
	}
	return "off"
}

// scope compares the settings of a namespace, or of all that have none.
func (c *comparison) scope(name string, a, b ir.Namespace) {
	where := "the mesh"
	if name != "" {
		where = "namespace " + name
	}
	if a.Mode != b.Mode {
		open := func(m ir.Mode) bool { return m == ir.Permissive || m == ir.Audit }
		change := Change{Kind: Mode, Namespace: name, Effect: effect(!open(a.Mode) && open(b.Mode), open(a.Mode) && !open(b.Mode), true),
			Text: fmt.Sprintf("the mode of %s changes from %s to %s", where, a.Mode, b.Mode)}
		switch change.Effect {
		case Widened:
			change.Source, change.Note = Everyone, Everyone+" can now call every service of "+where
		case Narrowed:
			change.Source, change.Note = Everyone, "only what a grant names can still call the services of "+where
		}
		c.add(change)
	}
	if a.PlaintextAllowed != b.PlaintextAllowed {
		c.toggle(Plaintext, name, b.PlaintextAllowed, Outsider+" %s reach the services of "+where)
	}
	if a.EgressAllowed != b.EgressAllowed {
		c.toggle(Egress, name, b.EgressAllowed, "workloads of "+where+" %s call addresses outside the mesh")
	}
}

func (c *comparison) toggle(kind Kind, namespace string, allowed bool, text string) {
	change := Change{Kind: kind, Namespace: namespace, Effect: Narrowed, Text: fmt.Sprintf(text, "can no longer")}
	if allowed {
		change.Effect, change.Text = Widened, fmt.Sprintf(text, "can now")
	}
	if kind == Plaintext {
		change.Source = Outsider
	}
	c.add(change)
}

// ranges compares the mesh's own addresses, to which egress does not lead.
func (c *comparison) ranges() {
	before := slices.Concat(c.old.Settings.ServiceRanges, c.old.Settings.PodRanges)
	after := slices.Concat(c.new.Settings.ServiceRanges, c.new.Settings.PodRanges)
	opened, closed := uncovered(before, after), uncovered(after, before)
	if len(opened)+len(closed) == 0 {
		return
	}
	change := Change{Kind: Egress, Effect: effect(len(opened) > 0, len(closed) > 0, true)}
	var parts []string
	if len(opened) > 0 {
		parts = append(parts, "ranges no longer holds "+some(opened))
		change.Note = "where egress is allowed, it leads there now"
	}
	if len(closed) > 0 {
		parts = append(parts, "ranges now holds "+some(closed))
	}
	change.Text = strings.Join(parts, "; ")
	c.add(change)
}

// uncovered are the prefixes that no other one holds whole.
func uncovered(all, by []netip.Prefix) []string {
	var out []string
	for _, p := range all {
		if !slices.ContainsFunc(by, func(o netip.Prefix) bool { return o.Bits() <= p.Bits() && o.Contains(p.Addr()) }) {
			out = append(out, p.String())
		}
	}
	return out
}

// plaintext finds ports that are opened to clients without a certificate, or
// closed to them, other than by their namespace's setting.
func (c *comparison) plaintext() {
	var gained, lost []ir.PortID
	for _, d := range both(c.old.doors(), c.new.doors(), door.compare) {
		ns := d.port.Service.Namespace
		_, was := c.old.has(d)
		_, is := c.new.has(d)
		byNamespace := was && is && c.old.Namespace(ns).PlaintextAllowed != c.new.Namespace(ns).PlaintextAllowed
		before, after := c.old.takesPlain(d), c.new.takesPlain(d)
		switch {
		case before == after || byNamespace:
		case after:
			gained = append(gained, d.port)
		default:
			lost = append(lost, d.port)
		}
	}
	for _, id := range slices.Compact(gained) {
		c.add(Change{Kind: Plaintext, Effect: Widened, Source: Outsider, Ports: []ir.PortID{id}, Text: Outsider + " can now call " + id.String(),
			Causes: []Cause{c.new.cause("Service/"+id.Service.String(), false)}})
	}
	for _, id := range slices.Compact(lost) {
		c.add(Change{Kind: Plaintext, Effect: Narrowed, Source: Outsider, Ports: []ir.PortID{id}, Text: Outsider + " can no longer call " + id.String(),
			Causes: []Cause{c.old.cause("Service/"+id.Service.String(), true)}})
	}
}
