package lab

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/lab/pod"
)

// readyTimeout is how long a pod may take until it answers.
const readyTimeout = 30 * time.Second

// change makes next what runs: new pods first, then the policy everywhere, then
// the end of pods that are no longer wanted.
func (l *Lab) change(next *state) error {
	l.changing.Lock()
	defer l.changing.Unlock()
	wanted, err := topology(next.result.Inventory, next.catalog, l.pools)
	if err != nil {
		return err
	}
	next.topology = wanted
	l.mu.Lock()
	before := l.state.topology
	l.mu.Unlock()
	if before == nil {
		before = &Topology{}
	}
	fresh, gone := difference(before.Pods, wanted.Pods)
	l.progress("starting", fresh)
	l.progress("ending", gone)
	if err := l.replace(fresh, gone); err != nil {
		return err
	}
	l.mu.Lock()
	l.state = *next
	l.mu.Unlock()
	if err := l.settle(fresh); err != nil {
		return err
	}
	for _, p := range gone {
		if !slices.ContainsFunc(fresh, func(f *Pod) bool { return f.ID() == p.ID() }) {
			if err := l.ground.remove(p.ID()); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *Lab) progress(doing string, pods []*Pod) {
	switch len(pods) {
	case 0:
	case 1:
		l.opts.Progress(doing + " pod " + pods[0].ID())
	default:
		l.opts.Progress(fmt.Sprintf("%s %d pods", doing, len(pods)))
	}
}

// difference compares what runs with what is wanted; a pod that is to be another
// under the same name is in both lists.
func difference(before, wanted []*Pod) (fresh, gone []*Pod) {
	old := map[string]*Pod{}
	for _, p := range before {
		old[p.ID()] = p
	}
	for _, p := range wanted {
		if was, ok := old[p.ID()]; ok && reflect.DeepEqual(was, p) {
			delete(old, p.ID())
			continue
		}
		fresh = append(fresh, p)
	}
	for _, p := range before {
		if _, ok := old[p.ID()]; ok {
			gone = append(gone, p)
		}
	}
	return fresh, gone
}

// replace starts fresh pods; one whose name is in use takes its predecessor's place.
func (l *Lab) replace(fresh, gone []*Pod) error {
	for _, p := range gone {
		if slices.ContainsFunc(fresh, func(f *Pod) bool { return f.ID() == p.ID() }) {
			if err := l.ground.remove(p.ID()); err != nil {
				return err
			}
		}
	}
	return each(fresh, func(p *Pod) error {
		if err := l.ground.add(p); err != nil {
			return err
		}
		if p.Meshed && p.Explicit == nil {
			if err := l.ground.ask(p.ID(), pod.OpIntercept, l.interception(), nil); err != nil {
				return err
			}
		}
		return l.ground.serve(p)
	})
}

// settle gives every pod the names, addresses and policy of the present state, and
// waits until all, the fresh ones too, do as it says.
func (l *Lab) settle(fresh []*Pod) error {
	l.mu.Lock()
	all := &Topology{Pods: slices.Concat(l.state.topology.Pods, l.extras), Services: l.state.topology.Services, catalog: l.state.catalog}
	packed := l.state.bundle
	l.mu.Unlock()

	names := all.names(l.ground.clusterDomain)
	for _, p := range l.extras {
		if p.Outer != "" {
			names[p.Outer] = p.Addresses
		}
	}
	l.ground.names.Set(names)
	if err := l.ground.balance(l.ctx, all.nat()); err != nil {
		return err
	}
	findings, err := l.plane.Set(packed, all.snapshot(l.ground.box.IPv6))
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.state.findings = append(slices.Clone(l.state.bundle.Findings), findings...)
	l.mu.Unlock()
	return l.converge(fresh, all.Pods)
}

// converge starts the Envoys of fresh pods and waits for all proxies and workloads.
func (l *Lab) converge(fresh, all []*Pod) error {
	var meshed []string
	for _, p := range all {
		if p.Meshed {
			meshed = append(meshed, p.ID())
		}
	}
	if err := each(fresh, func(p *Pod) error {
		if !p.Meshed {
			return nil
		}
		return l.startEnvoy(p)
	}); err != nil {
		return err
	}
	// First the acknowledgements: a proxy that refuses a part says why, and is
	// never ready.
	ctx, cancel := context.WithTimeout(l.ctx, readyTimeout)
	defer cancel()
	if err := l.plane.AwaitAcks(ctx, meshed); err != nil {
		return err
	}
	return each(fresh, l.awaitReady)
}

// each does something with all pods at once.
func each(pods []*Pod, do func(*Pod) error) error {
	var tasks errgroup.Group
	for _, p := range pods {
		tasks.Go(func() error { return do(p) })
	}
	return tasks.Wait()
}

// commandTimeout is how long a user's command may take to open its services'
// ports before the lab goes on without it: nobody knows what it is to do.
const commandTimeout = 10 * time.Second

// awaitReady waits for a pod's proxy and for the ports of its workload.
func (l *Lab) awaitReady(p *Pod) error {
	proxy := pod.Ready{Envoy: p.Meshed, Timeout: readyTimeout}
	if err := l.ground.ask(p.ID(), pod.OpReady, proxy, nil); err != nil {
		return err
	}
	workload := pod.Ready{Timeout: readyTimeout}
	if p.Command != "" {
		workload.Timeout = commandTimeout
	}
	for _, port := range p.Ports {
		if port.Protocol != ir.UDP {
			workload.Ports = append(workload.Ports, port.Number)
		}
	}
	err := l.ground.ask(p.ID(), pod.OpReady, workload, nil)
	if err != nil && p.Command != "" {
		l.opts.Progress(fmt.Sprintf("the command of %v; its log is %s", err, l.ground.log(p, "command")))
		return nil
	}
	return err
}
