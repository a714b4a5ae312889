package resolve

import (
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/ir"
)

// shares is the splits of a namespace that are whole, in order of name.
type shares struct {
	*part
	list []ir.Split
}

// settleSplits judges the splits of a namespace together and makes those that
// are whole.
func (r *resolver) settleSplits(ns string) *shares {
	out := &shares{}
	out.part = r.unit(func() {
		splits := r.withPorts(r.splits.Get(ns).list)
		r.refuseNested(splits)
		r.refuseRivals(splits)
		for _, s := range splits {
			r.judgeSelf(s)
			weights, ok := r.weights(s)
			if s.broken || !ok {
				continue
			}
			sp := ir.Split{Name: nameOf(s.obj), Root: s.root.id, Matches: s.matches, Backends: []ir.Backend{}}
			for i, b := range s.backends {
				sp.Backends = append(sp.Backends, ir.Backend{Service: b.id, Weight: weights[i], Ports: r.splitPorts(s, b), Missing: b.service == nil})
			}
			slices.SortFunc(sp.Backends, func(a, b ir.Backend) int { return a.Service.Compare(b.Service) })
			r.judgePortShares(s, sp)
			out.list = append(out.list, sp)
		}
	})
	return out
}

// withPorts copies splits, with their services settled: judging marks the copies.
func (r *resolver) withPorts(list []*split) []*split {
	out := make([]*split, len(list))
	for i, s := range list {
		own := *s
		if own.root != nil {
			own.root = r.ports.Get(own.root.id)
		}
		own.backends = slices.Clone(own.backends)
		for j := range own.backends {
			if b := &own.backends[j]; b.service != nil {
				b.service = r.ports.Get(b.id)
			}
		}
		out[i] = &own
	}
	return out
}

// weights divides by the common divisor: only ratios matter (row 4).
func (r *resolver) weights(s *split) ([]uint32, bool) {
	var divisor, sum int64
	for _, b := range s.backends {
		divisor = gcd(divisor, b.weight)
	}
	if divisor == 0 {
		if n := len(s.obj.TrafficSplit.Backends); n > 0 && n == len(s.backends) {
			r.report(splitFinding(s.obj, "MSH2004", []any{"spec", "backends"}, "all weights of TrafficSplit %q are 0", s.obj.Name).
				WithEffect("nothing is split: no backend would get a call").
				WithHelp("give at least one backend a weight above 0"))
		}
		return nil, false
	}
	out := make([]uint32, len(s.backends))
	for i, b := range s.backends {
		w := b.weight / divisor
		if w > math.MaxUint32-sum {
			r.report(splitFinding(s.obj, "MSH2005", []any{"spec", "backends", b.index, "weight"}, "the weights of TrafficSplit %q add up to more than %d", s.obj.Name, uint32(math.MaxUint32)).
				WithEffect("nothing is split: proxies cannot count that far").
				WithHelp("use smaller numbers; only their ratios matter"))
			return nil, false
		}
		sum += w
		out[i] = uint32(w)
	}
	return out, true
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// splitPorts are the root's ports that a backend serves too (row 45).
func (r *resolver) splitPorts(s *split, b backend) []uint16 {
	ports := []uint16{}
	if b.service == nil {
		// Its share gets 503 on every port.
		for _, p := range s.root.out.Ports {
			if r.divisible(s, p) {
				ports = append(ports, p.Number)
			}
		}
		return ports
	}
	if b.service.out.Outside && !s.root.out.Outside {
		r.report(splitFinding(s.obj, "MSH2018", []any{"spec", "backends", b.index, "service"}, "no workload of backend %q is in the mesh", b.id.Name).
			WithEffect("its share of the calls gets 503: clients of the mesh speak mTLS to the leaves of a split").
			WithRelated(b.service.at(), "the backend").WithHelp("put its workloads into the mesh"))
	}
	for _, p := range s.root.out.Ports {
		if !r.divisible(s, p) {
			continue
		}
		if r.serves(s, b, p) {
			ports = append(ports, p.Number)
		}
	}
	return ports
}

// divisible tells whether a port of the root is split at all: UDP is not, and
// matches can only be judged in HTTP.
func (r *resolver) divisible(s *split, p ir.Port) bool {
	return p.Protocol != ir.UDP && (len(s.matches) == 0 || p.Protocol.IsHTTP())
}

func (r *resolver) serves(s *split, b backend, p ir.Port) bool {
	path := []any{"spec", "backends", b.index, "service"}
	for _, q := range b.service.out.Ports {
		if q.Number != p.Number || q.Protocol == ir.UDP {
			continue
		}
		if q.Protocol.IsHTTP() == p.Protocol.IsHTTP() {
			return true
		}
		r.report(splitFinding(s.obj, "MSH2008", path, "port %d is %s at the root %q and %s at backend %q", p.Number, p.Protocol, s.root.id.Name, q.Protocol, b.id.Name).
			WithEffect("the backend is left out for this port").WithRelated(b.service.at(), "the backend").
			WithRelated(s.root.at(), "the root").WithHelp("give both the same appProtocol"))
		return false
	}
	r.report(splitFinding(s.obj, "MSH2008", path, "backend %q has no port %d, which the root %q has", b.id.Name, p.Number, s.root.id.Name).
		WithEffect("the backend is left out for this port: the others share its calls").
		WithRelated(b.service.at(), "the backend").WithRelated(s.root.at(), "the root").
		WithHelp("add port %d to service %s: ports are matched by number", p.Number, b.id.Name))
	return false
}

// judgePortShares finds ports of the root that nobody would be sent to, and
// those that matches cannot split.
func (r *resolver) judgePortShares(s *split, out ir.Split) {
	for _, p := range s.root.out.Ports {
		if p.Protocol == ir.UDP {
			continue
		}
		if !r.divisible(s, p) {
			r.report(splitFinding(s.obj, "MSH2016", []any{"spec", "matches"}, "the matches of the split cannot be judged on port %d of %q, which is %s", p.Number, s.root.id.Name, p.Protocol).
				WithEffect("connections to that port go to the root's own endpoints").
				WithRelated(s.root.at(), "the root").WithHelp("split that port with a TrafficSplit without matches, or make it HTTP"))
			continue
		}
		var sum uint64
		served := 0
		for _, b := range out.Backends {
			if slices.Contains(b.Ports, p.Number) {
				sum += uint64(b.Weight)
				served++
			}
		}
		switch {
		case served == 0:
			r.report(splitFinding(s.obj, "MSH2008", []any{"spec", "service"}, "no backend has port %d of the root %q", p.Number, s.root.id.Name).
				WithEffect("the port is not split: its calls go to the root's own endpoints").
				WithRelated(s.root.at(), "the root").WithHelp("add the port to the backends, or take it away from the root"))
		case sum == 0:
			r.report(splitFinding(s.obj, "MSH2004", []any{"spec", "backends"}, "on port %d only backends of weight 0 are left", p.Number).
				WithEffect("calls to that port get 503").
				WithRelated(s.root.at(), "the root").WithHelp("add port %d to a backend that has a weight", p.Number))
		}
	}
}

// judgeSelf: the root among its own backends (row 46).
func (r *resolver) judgeSelf(s *split) {
	if s.root == nil {
		return
	}
	for _, b := range s.backends {
		if b.id == s.root.id && s.obj.Annotations[annotationAllowSelf] != "true" && !r.managed(s) {
			r.report(splitFinding(s.obj, "MSH2009", []any{"spec", "backends", b.index, "service"}, "the root %q is among its own backends", b.id.Name).
				WithEffect("nothing is split").WithRelated(s.obj.AtUnion("spec", "service"), "the root").
				WithHelp("name a service that selects these workloads alone, or annotate the split with `%s: \"true\"`: then it means the root's own endpoints", annotationAllowSelf))
			s.broken = true
		}
	}
}

// refuseNested finds splits of splits and cycles (row 47).
func (r *resolver) refuseNested(splits []*split) {
	roots := map[ir.ServiceID][]*split{}
	for _, s := range splits {
		if s.root != nil {
			roots[s.root.id] = append(roots[s.root.id], s)
		}
	}
	var nested []*split
	for _, s := range splits {
		for _, b := range s.backends {
			if s.root != nil && b.id == s.root.id {
				continue
			}
			for _, inner := range roots[b.id] {
				r.report(splitFinding(s.obj, "MSH2010", []any{"spec", "backends", b.index, "service"}, "backend %q is the root of %s", b.id.Name, nameOf(inner.obj)).
					WithEffect("nothing is split: splits are not followed into each other").
					WithRelated(inner.obj.AtUnion("spec", "service"), "the root of the other split").
					WithHelp("name the leaves themselves, with the product of the weights"))
				nested = append(nested, s)
			}
		}
	}
	for _, s := range nested {
		s.broken = true
	}
}

// refuseRivals finds splits of one root that cannot be told apart (row 48), and
// those that a split of an earlier name hides.
func (r *resolver) refuseRivals(splits []*split) {
	for i, a := range splits {
		for _, b := range splits[i+1:] {
			if a.root == nil || b.root == nil || a.root.id != b.root.id {
				continue
			}
			if reflect.DeepEqual(bare(a.matches), bare(b.matches)) {
				for _, pair := range [][2]*split{{a, b}, {b, a}} {
					r.report(splitFinding(pair[0].obj, "MSH2011", []any{"spec", "service"}, "service %q is the root of two splits with the same matches", a.root.id.Name).
						WithEffect("nothing is split: nobody can tell which counts").
						WithRelated(pair[1].obj.AtUnion("spec", "service"), "the other split").
						WithHelp("join the two, or give each its own `matches`"))
				}
				a.broken, b.broken = true, true
			} else if len(a.matches) == 0 {
				r.report(splitFinding(b.obj, "MSH2012", []any{"spec", "service"}, "%s comes first and takes every request", nameOf(a.obj)).
					WithEffect("this split never gets a call: splits of one root count in order of name").
					WithRelated(a.obj.AtUnion("spec", "service"), "the split without matches").
					WithHelp("rename one of them so that the split without matches comes last"))
			}
		}
	}
}

// bare are matches without their names: what they match.
func bare(ms []ir.Match) []ir.Match {
	out := slices.Clone(ms)
	for i := range out {
		out[i].Name = ""
	}
	slices.SortFunc(out, func(a, b ir.Match) int {
		if c := strings.Compare(a.Path, b.Path); c != 0 {
			return c
		}
		return slices.Compare(a.Methods, b.Methods)
	})
	return out
}
