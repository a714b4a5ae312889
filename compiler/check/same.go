package check

import (
	"slices"

	"github.com/meshc/meshc/compiler/ir"
)

// readTargets are the grants of a namespace's targets by destination.
func (j *judge) readTargets(ns string) map[ir.Identity][]ir.Grant {
	out := map[ir.Identity][]ir.Grant{}
	for _, g := range j.Grants(ns) {
		out[g.Destination] = append(out[g.Destination], g)
	}
	return out
}

func sameGrants(a, b []ir.Grant) bool {
	return slices.EqualFunc(a, b, func(x, y ir.Grant) bool {
		return x.Name == y.Name && slices.Equal(x.Sources, y.Sources) && slices.Equal(x.Ports, y.Ports) && slices.EqualFunc(x.HTTP, y.HTTP, sameMatch)
	})
}

func sameMatch(a, b ir.Match) bool {
	return a.Name == b.Name && a.Path == b.Path && slices.Equal(a.Methods, b.Methods) && slices.Equal(a.Headers, b.Headers)
}

func sameSplit(a, b ir.Split) bool {
	return a.Name == b.Name && a.Root == b.Root && slices.EqualFunc(a.Matches, b.Matches, sameMatch) &&
		slices.EqualFunc(a.Backends, b.Backends, func(x, y ir.Backend) bool {
			return x.Service == y.Service && x.Weight == y.Weight && x.Missing == y.Missing && slices.Equal(x.Ports, y.Ports)
		})
}
