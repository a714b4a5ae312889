package kube

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"k8s.io/client-go/rest"

	"github.com/meshc/meshc/catalog"
)

// Options of a Provider; Config is required.
type Options struct {
	Rules
	// Config is how the mesh's own cluster is reached.
	Config *rest.Config
	// Clusters is a namespace whose secrets with LabelCluster hold kubeconfigs of
	// further clusters; empty: there are none.
	Clusters string
	Log      *slog.Logger // slog.Default()
	// Touched is told the namespaces in which something changed, "" for all; nil:
	// nobody is. It is called under no lock and must not wait.
	Touched func(namespace string)
}

// Provider follows clusters. It is a catalog.Provider. What is known of a cluster
// that does not answer stays known.
type Provider struct {
	opts    Options
	stop    context.CancelFunc
	ctx     context.Context
	own     *cluster
	changed chan struct{}

	mu      sync.Mutex
	remotes map[string]*remote // by secret
	stale   bool               // something changed since the snapshot was made
	rejoin  bool               // a cluster came or went
	snap    *catalog.Snapshot
	told    []string // problems that were logged
}

var _ catalog.Provider = (*Provider)(nil)

// Watch begins to follow; it does not wait for the cluster to answer.
func Watch(opts Options) (*Provider, error) {
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	p := &Provider{opts: opts, changed: make(chan struct{}, 1), remotes: map[string]*remote{}, stale: true}
	p.ctx, p.stop = context.WithCancel(context.Background())
	var more []kind
	if opts.Clusters != "" {
		more = append(more, secretsIn(opts.Clusters))
	}
	var err error
	if p.own, err = watchCluster(p.ctx, "", opts.Config, more, p.notice, opts.Touched); err != nil {
		p.stop()
		return nil, fmt.Errorf("catalog: %w", err)
	}
	if opts.Clusters != "" {
		if err := p.followSecrets(); err != nil {
			p.Close()
			return nil, fmt.Errorf("catalog: %w", err)
		}
	}
	return p, nil
}

// Wait waits until the cluster has told all that it holds, and what further
// clusters there are; for these it does not wait. The error says what is missing.
func (p *Provider) Wait(ctx context.Context) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !p.own.synced() {
		select {
		case <-ctx.Done():
			if err := p.own.fault(); err != nil {
				return fmt.Errorf("catalog: %w", err)
			}
			return errors.New("catalog: the cluster has not told all that it holds")
		case <-tick.C:
		}
	}
	return nil
}

// notice tells whoever waits that Snapshot or Err may have changed.
func (p *Provider) notice() {
	p.mu.Lock()
	p.stale = true
	p.mu.Unlock()
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// Snapshot is what is known now, nil before all of it was told: a part of the
// services would be taken for the whole. It is made when it is asked for, of the
// namespaces that changed, and is the same one while nothing did.
func (p *Provider) Snapshot() *catalog.Snapshot {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.stale || !p.own.synced() {
		return p.snap
	}
	p.stale = false
	news := p.own.translate(p.opts.Rules) || p.rejoin
	p.rejoin = false
	clusters := []Cluster{p.own.state()}
	for _, secret := range slices.Sorted(maps.Keys(p.remotes)) {
		if c := p.remotes[secret].known(); c != nil {
			news = c.translate(p.opts.Rules) || news
			clusters = append(clusters, c.state())
		}
	}
	if !news && p.snap != nil {
		return p.snap
	}
	snap, problems := p.opts.Rules.Snapshot(clusters...)
	for _, text := range problems {
		if !slices.Contains(p.told, text) {
			p.opts.Log.Warn("catalog", "problem", text)
		}
	}
	p.snap, p.told = snap, problems
	return p.snap
}

// Namespaces are the names of those in which anything is, in any cluster, sorted.
func (p *Provider) Namespaces() []string {
	names := map[string]bool{}
	for _, c := range p.clusters() {
		for _, ns := range c.namespaces() {
			names[ns] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// Objects are what a namespace holds now, trimmed, of each cluster: the mesh's own
// first. A cluster that has not told all yet is left out. Nothing in them may be changed.
func (p *Provider) Objects(namespace string) []*Objects {
	var out []*Objects
	for _, c := range p.clusters() {
		out = append(out, c.objects(namespace))
	}
	return out
}

// clusters are those that have told all they hold, the mesh's own first.
func (p *Provider) clusters() []*cluster {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []*cluster
	if p.own.synced() {
		out = append(out, p.own)
	}
	for _, secret := range slices.Sorted(maps.Keys(p.remotes)) {
		if c := p.remotes[secret].known(); c != nil {
			out = append(out, c)
		}
	}
	return out
}

// Changed is sent to after Snapshot or Err may have changed.
func (p *Provider) Changed() <-chan struct{} { return p.changed }

// Err is why the newest state is not known: a watch that is lost, a kubeconfig that
// cannot be used. What was known stays.
func (p *Provider) Err() error {
	if err := p.own.fault(); err != nil {
		return fmt.Errorf("catalog: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, secret := range slices.Sorted(maps.Keys(p.remotes)) {
		if err := p.remotes[secret].fault(); err != nil {
			return fmt.Errorf("catalog: %w", err)
		}
	}
	return nil
}

// Close stops following. The last snapshot stays.
func (p *Provider) Close() error {
	p.stop()
	p.own.close()
	p.mu.Lock()
	remotes := slices.Collect(maps.Values(p.remotes))
	p.mu.Unlock()
	for _, r := range remotes {
		r.close()
	}
	return nil
}
