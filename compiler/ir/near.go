package ir

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Aspect is a part of a request that a grant may miss.
type Aspect string

// The aspects, from what is the least to change to what is the most.
const (
	AspectHeader   Aspect = "header"
	AspectMethod   Aspect = "method"
	AspectPath     Aspect = "path"
	AspectPort     Aspect = "port"
	AspectIdentity Aspect = "identity"
)

var aspects = []Aspect{AspectHeader, AspectMethod, AspectPath, AspectPort, AspectIdentity}

// Miss is a match, or a grant of any request, that does not take a request, with
// everything that would have to be otherwise.
type Miss struct {
	Grant string // TrafficTarget/NS/NAME#ruleN; empty for a match of a split
	Match string // HTTPRouteGroup/NS/NAME#MATCH; empty where the grant has none
	Lacks []Lack // at least one, in order of Aspect
	// alike is how many characters the path and the expression begin with in common.
	alike int
}

// Lack is one thing that would have to be otherwise.
type Lack struct {
	Aspect Aspect `json:"aspect"`
	// Sentence names the match or grant that lacks it, without a stop.
	Sentence string `json:"sentence"`
}

// String is all that is lacking, as one sentence.
func (m Miss) String() string {
	parts := make([]string, len(m.Lacks))
	for i, l := range m.Lacks {
		parts[i] = l.Sentence
	}
	return strings.Join(parts, ", and ")
}

// misses are the grants to the accounts behind a request that do not let it in,
// the nearest first: those that lack the fewest aspects, then the lesser ones,
// then those whose path is most alike.
func (d *decision) misses(branches []branch) []Miss {
	if d.r.From == "" {
		return nil // no grant names a client without a certificate
	}
	var out []Miss
	for _, b := range branches {
		for _, sh := range b.shares {
			svc, port := d.leaf(sh)
			if port == nil || svc.Outside {
				continue
			}
			for _, account := range svc.Accounts {
				out = append(out, d.missesOf(Leaf{Service: svc.ID, Account: account}, port)...)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Miss) int {
		return cmp.Or(a.nearer(b), cmp.Compare(a.Match, b.Match), cmp.Compare(a.Grant, b.Grant))
	})
	return slices.CompactFunc(out, func(a, b Miss) bool {
		return a.Grant == b.Grant && a.Match == b.Match && slices.Equal(a.Lacks, b.Lacks)
	})
}

// nearer compares how far two are from taking the request.
func (m Miss) nearer(o Miss) int {
	return cmp.Or(len(m.Lacks)-len(o.Lacks), m.weight()-o.weight(), o.alike-m.alike)
}

func (m Miss) weight() int {
	sum := 0
	for _, l := range m.Lacks {
		sum += slices.Index(aspects, l.Aspect)
	}
	return sum
}

// missesOf are the grants and matches to one account that do not let it in.
func (d *decision) missesOf(leaf Leaf, port *Port) []Miss {
	var out []Miss
	for i := range d.m.Grants {
		g := &d.m.Grants[i]
		if g.Destination != leaf.Account {
			continue
		}
		var lacks []Lack
		if !g.opens(leaf, port.Number) {
			lacks = append(lacks, Lack{AspectPort, fmt.Sprintf("%s opens %s, not %s:%d", g.Name, portList(g.Ports), leaf.Service, port.Number)})
		}
		if !slices.Contains(g.Sources, d.r.From) {
			lacks = append(lacks, Lack{AspectIdentity, fmt.Sprintf("%s lets %s in, not %s", g.Name, sourceList(g.Sources), d.r.caller())})
		}
		if len(g.HTTP) == 0 || d.seen == nil {
			out = append(out, Miss{Grant: g.Name, Lacks: lacks})
		} else {
			out = append(out, d.missesOfMatches(g, lacks)...)
		}
	}
	return slices.DeleteFunc(out, func(m Miss) bool { return len(m.Lacks) == 0 })
}

func (d *decision) missesOfMatches(g *Grant, more []Lack) []Miss {
	var out []Miss
	for _, match := range g.HTTP {
		m := d.miss(match)
		m.Grant, m.Lacks = g.Name, append(m.Lacks, more...)
		if len(m.Lacks) == len(more) && len(more) == 0 {
			return nil // the grant lets the request in: its other matches do not count
		}
		out = append(out, m)
	}
	return out
}

// miss is what a match lacks; it has no Lacks when it takes the request.
func (d *decision) miss(m Match) Miss {
	out := Miss{Match: m.Name}
	place := matchName(m.Name)
	if d.seen == nil {
		return Miss{Match: m.Name, Lacks: []Lack{{AspectMethod, "raw bytes are not in " + place}}}
	}
	for _, h := range m.Headers {
		if why := d.headerMatches(h); why != "" {
			out.Lacks = append(out.Lacks, Lack{AspectHeader, why})
		}
	}
	if len(m.Methods) > 0 && !slices.Contains(m.Methods, "*") && !slices.Contains(m.Methods, d.seen.Method) {
		out.Lacks = append(out.Lacks, Lack{AspectMethod, fmt.Sprintf("%s is not in %s, which has %s", d.seen.Method, place, strings.Join(m.Methods, ", "))})
	}
	if path := WithoutQuery(d.seen.Path); m.Path != "" && !d.expressions.whole(m.Path, path) {
		out.Lacks = append(out.Lacks, Lack{AspectPath, fmt.Sprintf("path %s is not in %s, which has %s", path, place, written(m.Path))})
		out.alike = alike(path, written(m.Path))
	}
	return out
}

// matchName reads "match buy-a-book of HTTPRouteGroup bookstore/routes".
func matchName(name string) string {
	group, match, ok := strings.Cut(name, "#")
	kind, at, of := strings.Cut(group, "/")
	if !ok || !of {
		return name
	}
	return "match " + match + " of " + kind + " " + at
}

func alike(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}
