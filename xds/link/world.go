package link

import (
	"cmp"
	"runtime"
	"slices"
	"sync"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
)

// World is a bundle bound to a catalog snapshot. It is immutable; With derives
// the next one and shares with it all that did not change.
type World struct {
	*static
	snapshot *catalog.Snapshot
	services []*service // as static.services
	bound    *bound
	strays   []ir.Identity // accounts that the mesh relies on and the catalog does not list
	changed  Changes
}

// Changes says how a world differs from the one it was derived from.
type Changes struct {
	// Structure: something other than endpoints may differ for any proxy.
	Structure bool
	// Endpoints names the clusters whose endpoints differ.
	Endpoints []string
	// Workloads names the workloads whose identity, services, locality or ports differ.
	Workloads []string
}

// New links a bundle to a snapshot. The findings say where they disagree.
func New(b *bundle.Bundle, snap *catalog.Snapshot) (*World, diag.List) {
	w := After(nil, b, snap, nil)
	return w, w.Findings()
}

// With links the same bundle to another snapshot. Only the services that differ
// are bound again.
func (w *World) With(snap *catalog.Snapshot) *World {
	next := &World{static: w.static, snapshot: snap, services: make([]*service, len(w.static.services))}
	structure := w.bound == nil || !slices.Equal(w.snapshot.ServiceRanges, snap.ServiceRanges) || !slices.Equal(w.snapshot.PodRanges, snap.PodRanges)
	var fresh []int // services that differ
	found := make([]*catalog.Service, len(next.services))
	for i := range w.static.services {
		found[i] = find(snap, w.static.services[i].id)
		if w.bound != nil && sameService(w.services[i].catalog, found[i]) {
			next.services[i] = w.services[i]
			continue
		}
		fresh = append(fresh, i)
	}
	before := func(i int) *service {
		if w.bound == nil {
			return nil
		}
		return w.services[i]
	}
	each(fresh, func(i int) { next.services[i] = w.static.bind(&w.static.services[i], found[i], before(i)) })
	for _, i := range fresh {
		structure = structure || before(i) == nil || !sameShape(before(i), next.services[i])
		next.changed.Endpoints = append(next.changed.Endpoints, changedAssignments(before(i), next.services[i])...)
	}
	next.changed.Workloads = changedWorkloads(w.snapshot.Workloads, snap.Workloads)
	structure = structure || next.endsElsewhere(w.bound)
	next.changed.Structure = structure
	if next.strays = w.strays; w.bound == nil || !slices.Equal(w.snapshot.Accounts, snap.Accounts) || len(w.snapshot.Namespaces) != len(snap.Namespaces) {
		next.strays = w.relied.strays(snap)
	}
	next.bound = w.bound
	if structure {
		next.bound = newBound(next, w)
	}
	return next
}

// each calls f with every index, on all processors where that is worth it.
func each(indices []int, f func(i int)) {
	workers := min(runtime.GOMAXPROCS(0), len(indices)/16+1)
	var wg sync.WaitGroup
	for worker := range workers {
		wg.Go(func() {
			for at := worker; at < len(indices); at += workers {
				f(indices[at])
			}
		})
	}
	wg.Wait()
}

// Changes says how the world differs from the one it was derived from.
func (w *World) Changes() Changes { return w.changed }

// Bundle is the bundle it was linked from.
func (w *World) Bundle() *bundle.Bundle { return w.bundle }

// Snapshot is the catalog it was linked with.
func (w *World) Snapshot() *catalog.Snapshot { return w.snapshot }

// Findings are the differences between what was compiled and what runs.
func (w *World) Findings() diag.List {
	out := append(slices.Clone(w.bound.findings), w.unlike()...)
	for _, s := range w.services {
		out.Add(s.findings...)
	}
	for i := range out {
		out[i] = w.pinned(out[i])
	}
	return out.Sorted()
}

// Endpoints is the ClusterLoadAssignment of a cluster of the bundle, nil for
// a name that is not the name of one.
func (w *World) Endpoints(cluster string) *Resource {
	at, ok := w.clusterAt[cluster]
	if !ok {
		return nil
	}
	return w.services[at.service].assignments[at.port]
}

func changedAssignments(before, now *service) []string {
	var out []string
	turned := before != nil && before.catalog != nil && now.catalog != nil && before.catalog.Spread != now.catalog.Spread
	for i, r := range now.assignments {
		if before == nil || turned || before.assignments[i].Version != r.Version {
			out = append(out, r.Name)
		}
	}
	return out
}

// changedWorkloads walks two sorted lists at once.
func changedWorkloads(before, now []catalog.Workload) []string {
	if len(before) == len(now) && (len(now) == 0 || &before[0] == &now[0]) {
		return nil
	}
	var out []string
	for len(before) > 0 || len(now) > 0 {
		order := 0
		switch {
		case len(before) == 0:
			order = 1
		case len(now) == 0:
			order = -1
		default:
			order = cmp.Compare(before[0].Name, now[0].Name)
		}
		switch {
		case order < 0:
			out, before = append(out, before[0].Name), before[1:]
		case order > 0:
			out, now = append(out, now[0].Name), now[1:]
		default:
			if !sameWorkload(&before[0], &now[0]) {
				out = append(out, now[0].Name)
			}
			before, now = before[1:], now[1:]
		}
	}
	return out
}

// Sizes counts the resources that are served to anybody, and their bytes, by
// type: inbound listeners and secrets, which are made for proxies, are left out.
func (w *World) Sizes() (counts, bytes [Types]int) {
	add := func(r *Resource) {
		if r != nil {
			counts[r.Type]++
			bytes[r.Type] += len(r.Any.GetValue())
		}
	}
	for _, r := range w.base {
		if r != nil && r.Type != Listener {
			add(r)
		}
	}
	for _, s := range w.services {
		for _, r := range s.assignments {
			add(r)
		}
		for _, l := range s.listeners {
			for _, at := range l {
				add(at.Resource)
			}
		}
	}
	return counts, bytes
}
