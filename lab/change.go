package lab

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/meshc/meshc/lab/pod"
)

// readyTimeout is how long a pod may take until it answers.
const readyTimeout = 30 * time.Second

// change makes next what runs: new pods first, then the policy everywhere, then
// the end of pods that are no longer wanted.
func (l *Lab) change(next *state) error {
	l.changing.Lock()
	defer l.changing.Unlock()
	wanted, err := topology(next.result.Inventory, l.pools)
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
	tasks, _ := errgroup.WithContext(l.ctx)
	for _, p := range fresh {
		tasks.Go(func() error {
			if err := l.ground.add(p); err != nil {
				return err
			}
			if p.Meshed {
				if err := l.ground.ask(p.ID(), pod.OpIntercept, l.interception(), nil); err != nil {
					return err
				}
			}
			return l.ground.serve(p)
		})
	}
	return tasks.Wait()
}

// settle gives every pod the names, addresses and policy of the present state,
// starts the Envoys of fresh pods, and waits until all agree.
func (l *Lab) settle(fresh []*Pod) error {
	l.mu.Lock()
	all := &Topology{Pods: slices.Concat(l.state.topology.Pods, l.extras), Services: l.state.topology.Services}
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
	findings := l.plane.set(packed, all.snapshot(l.ground.box.IPv6))
	l.mu.Lock()
	l.state.findings = append(slices.Clone(l.state.bundle.Findings), findings...)
	l.mu.Unlock()

	tasks, _ := errgroup.WithContext(l.ctx)
	for _, p := range fresh {
		tasks.Go(func() error {
			if p.Meshed {
				if err := l.startEnvoy(p); err != nil {
					return err
				}
			}
			return l.awaitReady(p)
		})
	}
	if err := tasks.Wait(); err != nil {
		return err
	}
	var meshed []string
	for _, p := range all.Pods {
		if p.Meshed {
			meshed = append(meshed, p.ID())
		}
	}
	ctx, cancel := context.WithTimeout(l.ctx, readyTimeout)
	defer cancel()
	return l.plane.awaitAcks(ctx, meshed)
}

// awaitReady waits for a pod's proxy and for the ports of its workload. A command
// of the user's that opens no port is not waited for: the lab does not know what
// it is to do.
func (l *Lab) awaitReady(p *Pod) error {
	ready := pod.Ready{Envoy: p.Meshed, Timeout: readyTimeout}
	if p.Command == "" {
		for _, port := range p.Ports {
			if port.Protocol != "udp" {
				ready.Ports = append(ready.Ports, port.Number)
			}
		}
	}
	return l.ground.ask(p.ID(), pod.OpReady, ready, nil)
}
