package verify

import (
	"slices"
	"sync"

	"github.com/meshc/meshc/compiler/ir"
)

// index finds places in a plan by what they are of.
type index struct {
	clusters func(name string) (int, bool) // index in plan.Clusters of an EDS or direct cluster
	roles    func(ir.Identity) []int       // indices of an identity's roles
	lists    func(ir.PortID) []int         // indices of the scopes that list a service port
}

// mapped finds by maps that are made when they are needed: for many questions.
func mapped(plan *ir.Plan) index {
	clusters := sync.OnceValue(func() map[string]int {
		out := make(map[string]int, len(plan.Clusters))
		eachCluster(plan, func(name string, i int) { out[name] = i })
		return out
	})
	roles := sync.OnceValue(func() map[ir.Identity][]int {
		out := make(map[ir.Identity][]int, len(plan.Roles))
		for i := range plan.Roles {
			out[plan.Roles[i].Identity] = append(out[plan.Roles[i].Identity], i)
		}
		return out
	})
	lists := sync.OnceValue(func() map[ir.PortID][]int {
		out := make(map[ir.PortID][]int, len(plan.Outbound))
		for i := range plan.Scopes {
			for _, p := range plan.Scopes[i].Outbound {
				out[p] = append(out[p], i)
			}
		}
		return out
	})
	return index{
		clusters: func(name string) (int, bool) { i, ok := clusters()[name]; return i, ok },
		roles:    func(id ir.Identity) []int { return roles()[id] },
		lists:    func(id ir.PortID) []int { return lists()[id] },
	}
}

// scanned finds by looking everywhere: for a few questions to a large plan.
func scanned(plan *ir.Plan) index {
	cluster := once(func(name string) int {
		at := -1
		eachCluster(plan, func(n string, i int) {
			if n == name {
				at = i
			}
		})
		return at
	})
	return index{
		clusters: func(name string) (int, bool) { at := cluster(name); return at, at >= 0 },
		roles: once(func(id ir.Identity) []int {
			return places(plan.Roles, func(r *ir.RolePlan) bool { return r.Identity == id })
		}),
		lists: once(func(id ir.PortID) []int {
			return places(plan.Scopes, func(s *ir.Scope) bool { return slices.Contains(s.Outbound, id) })
		}),
	}
}

// once keeps what a function gave.
func once[K comparable, V any](f func(K) V) func(K) V {
	var known sync.Map
	return func(k K) V {
		if v, ok := known.Load(k); ok {
			return v.(V)
		}
		v := f(k)
		known.Store(k, v)
		return v
	}
}

// eachCluster goes through the names of the clusters that stand for service ports.
func eachCluster(plan *ir.Plan, see func(name string, at int)) {
	for i := range plan.Clusters {
		see(plan.Resources[plan.Clusters[i].Resource].Name, i)
	}
	for i := range plan.Outbound {
		o := &plan.Outbound[i]
		if o.Direct == ir.NoRef {
			continue
		}
		if at, ok := clusterOf(plan, o.Port); ok {
			see(plan.Resources[o.Direct].Name, at)
		}
	}
}

func clusterOf(plan *ir.Plan, id ir.PortID) (int, bool) {
	return slices.BinarySearchFunc(plan.Clusters, id, func(c ir.Cluster, id ir.PortID) int { return c.Port.Compare(id) })
}

func places[T any](in []T, is func(*T) bool) []int {
	var out []int
	for i := range in {
		if is(&in[i]) {
			out = append(out, i)
		}
	}
	return out
}
