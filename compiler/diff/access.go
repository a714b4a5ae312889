package diff

import (
	"cmp"
	"maps"
	"slices"

	"github.com/meshc/meshc/compiler/ir"
)

// access compares what grants let through, way by way.
func (c *comparison) access() {
	ways := slices.Collect(maps.Keys(c.old.granted))
	for w := range c.new.granted {
		if _, known := c.old.granted[w]; !known {
			ways = append(ways, w)
		}
	}
	slices.SortFunc(ways, func(a, b way) int { return cmp.Or(cmp.Compare(a.source, b.source), a.door.compare(b.door)) })
	groups := map[string]*Change{}
	var order []string
	for _, w := range ways {
		change, ok := c.way(w)
		if !ok {
			continue
		}
		key := change.Source + "\x00" + describe(change.Gained) + "\x00" + describe(change.Lost) + "\x00" + string(change.Effect) + change.Note
		if first, known := groups[key]; known {
			first.Ports = both(first.Ports, change.Ports, ir.PortID.Compare)
			first.Causes = mergeCauses(first.Causes, change.Causes)
			continue
		}
		groups[key] = &change
		order = append(order, key)
	}
	for _, key := range order {
		change := groups[key]
		change.Text = accessText(*change)
		c.add(*change)
	}
}

// way compares one way; ok is false when nothing changed on it.
func (c *comparison) way(w way) (Change, bool) {
	before, after := c.old.granted[w], c.new.granted[w]
	change := Change{Kind: Access, Source: w.source.Short(), Ports: []ir.PortID{w.port}}
	member := c.new.member(w.source)
	openBefore, openAfter := member && c.old.open(w.door), member && c.new.open(w.door)
	switch {
	case openBefore && !openAfter: // the mode's change narrows it
		return change, false
	case !openBefore && openAfter && !after.empty(): // the mode's change, or the new door's, widens it
		return change, false
	}
	gained := c.weigher.beyond(after.http, before.http)
	lost := c.weigher.beyond(before.http, after.http)
	change.Gained = requestsOf(gained, after.raw && !before.raw, after)
	change.Lost = requestsOf(c.weigher.partial(lost, after.http), before.raw && !after.raw, before)
	if len(change.Gained)+len(change.Lost) == 0 {
		return change, false
	}
	if openBefore && openAfter {
		change.Effect = Changed
		change.Note = "it changes nothing while " + w.port.Service.Namespace + " lets every mesh identity in"
	} else {
		change.Effect = effectOf(change.Gained, change.Lost)
	}
	if change.Effect == Widened && c.explained(w, after) {
		return change, false
	}
	if change.Effect.Narrows() {
		change.Note = c.afterwards(w)
	}
	for _, r := range change.Gained {
		change.Causes = mergeCauses(change.Causes, c.causes(r, false))
	}
	for _, r := range change.Lost {
		change.Causes = mergeCauses(change.Causes, c.causes(r, true))
	}
	return change, true
}

// afterwards says what becomes of what is open when a way is narrowed.
func (c *comparison) afterwards(w way) string {
	port, ok := c.new.has(w.door)
	switch {
	case !ok:
		return ""
	case !port.Protocol.IsHTTP():
		return "open connections are closed within " + c.new.Settings.TCPDrain.String()
	case c.new.Settings.MaxStreamDuration == 0:
		return "a stream that is open, such as a WebSocket, lives on: maxStreamDuration sets no bound"
	}
	return "a stream that is open lives on for up to " + c.new.Settings.MaxStreamDuration.String()
}

// explained tells whether a way is new only because an account has begun to
// serve the port: that is a change by itself.
func (c *comparison) explained(w way, after reach) bool {
	svc, ok := c.old.Service(w.port.Service)
	if !ok || svc.Outside || slices.Contains(svc.Accounts, w.account) {
		return false
	}
	var before reach
	for _, a := range svc.Accounts {
		before = before.or(c.old.granted[way{w.source, door{w.port, a}}])
	}
	return (before.raw || !after.raw) && len(c.weigher.beyond(after.http, before.http)) == 0
}

// requestsOf is an excess in words; raw says that raw bytes are among it.
func requestsOf(excess []excess, raw bool, of reach) []Requests {
	var out []Requests
	if raw { // raw bytes are let in by a grant of any request, which says all
		for _, h := range of.http {
			out = append(out, Requests{Raw: true, Grant: h.grant, Certain: true})
		}
		return out
	}
	for _, e := range excess {
		r := newRequests(e)
		if !slices.ContainsFunc(out, func(o Requests) bool { return o.id() == r.id() }) {
			out = append(out, r)
		}
	}
	return out
}

func effectOf(gained, lost []Requests) Effect {
	uncertain := func(r Requests) bool { return !r.Certain }
	certain := !slices.ContainsFunc(gained, uncertain) && !slices.ContainsFunc(lost, uncertain)
	return effect(len(gained) > 0, len(lost) > 0, certain)
}

func (c *comparison) causes(r Requests, before bool) []Cause {
	s := c.new
	if before {
		s = c.old
	}
	var out []Cause
	for _, name := range []string{r.Grant, r.Match} {
		if name != "" {
			out = append(out, s.cause(name, before))
		}
	}
	return out
}

func mergeCauses(a, b []Cause) []Cause {
	for _, cause := range b {
		if !slices.Contains(a, cause) {
			a = append(a, cause)
		}
	}
	return a
}

// opened finds doors that are new, or gone, where every mesh identity may enter.
// Where a door stays and the mode changes, that is the change.
func (c *comparison) opened() {
	var gained, lost []ir.PortID
	for _, d := range both(c.old.doors(), c.new.doors(), door.compare) {
		_, was := c.old.has(d)
		_, is := c.new.has(d)
		switch {
		case !was && c.new.open(d) && !c.served(c.old, d):
			gained = append(gained, d.port)
		case !is && c.old.open(d) && !c.served(c.new, d):
			lost = append(lost, d.port)
		}
	}
	for _, id := range slices.Compact(gained) {
		c.add(Change{Kind: Access, Effect: Widened, Source: Everyone, Ports: []ir.PortID{id},
			Text: Everyone + " can now call " + id.String(), Causes: []Cause{c.new.cause("Service/"+id.Service.String(), false)},
			Note: "its namespace lets in whom no grant names"})
	}
	for _, id := range slices.Compact(lost) {
		c.add(Change{Kind: Access, Effect: Narrowed, Source: Everyone, Ports: []ir.PortID{id},
			Text: Everyone + " can no longer call " + id.String(), Causes: []Cause{c.old.cause("Service/"+id.Service.String(), true)}})
	}
}

// served tells whether another account opens a door's port to everyone: then
// its accounts' change says enough.
func (c *comparison) served(s *side, d door) bool {
	svc, ok := s.Service(d.port.Service)
	return ok && slices.ContainsFunc(svc.Accounts, func(a ir.Identity) bool { return s.open(door{d.port, a}) })
}
