package main

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/klog/v2"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/catalog/kube"
	"github.com/meshc/meshc/catalog/token"
	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/xds/follow"
)

// fromCluster in the place of a catalog's file, or of an export, is the cluster
// itself. A file of that name is ./cluster.
const fromCluster = "cluster"

// clusterFlags say which cluster is read, and as whom.
type clusterFlags struct {
	kubeconfig string
	context    string
	clusters   string
}

func (f *clusterFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.kubeconfig, "kubeconfig", "", "`FILE` that says how the cluster is reached (default KUBECONFIG, ~/.kube/config, or the pod's own account)")
	flags.StringVar(&f.context, "context", "", "`NAME` of the context in it (default the current one)")
	flags.StringVar(&f.clusters, "clusters", "", "`NAMESPACE` whose secrets labelled "+kube.LabelCluster+" hold kubeconfigs of further clusters (default none)")
}

// watch begins to follow the cluster.
func (f *clusterFlags) watch(rules kube.Rules, log *slog.Logger) (*kube.Provider, error) {
	config, err := kube.Config(f.kubeconfig, f.context)
	if err != nil {
		return nil, err
	}
	quietKlog()
	return kube.Watch(kube.Options{Rules: rules, Config: config, Clusters: f.clusters, Log: log})
}

// quietKlog silences client-go: who watches tells what is wrong, once.
func quietKlog() { klog.SetSlogLogger(slog.New(slog.DiscardHandler)) }

// How long a cluster is waited for: by who can do nothing without it, and by a
// server that can begin with the catalog it kept.
const (
	patience   = time.Minute
	impatience = 10 * time.Second
)

// facts are all that the cluster shows, as they are to be once every pod of the
// mesh has its sidecar.
func (f *clusterFlags) facts(ctx context.Context, mesh string, now time.Time) (ir.Known, error) {
	p, err := f.watch(kube.Rules{Mesh: mesh, Intended: true}, nil)
	if err != nil {
		return ir.Known{}, err
	}
	defer p.Close()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := p.Wait(ctx); err != nil {
		return ir.Known{}, err
	}
	name := "cluster"
	if f.context != "" {
		name += " " + f.context
	}
	return ir.Known{
		Facts:  catalog.Facts(p.Snapshot()),
		Header: ir.LockHeader{From: name, By: whoami(), At: now.UTC().Format(time.RFC3339)},
	}, nil
}

// clusterCatalog is the cluster as a server's catalog.
type clusterCatalog struct {
	flags *clusterFlags
	log   *slog.Logger
	asked bool

	mu       sync.Mutex
	provider *kube.Provider
}

// running is the provider, nil while the cluster could not be watched at all.
func (c *clusterCatalog) running() *kube.Provider {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.provider
}

// open waits for the cluster the first time only: later somebody is being served.
func (c *clusterCatalog) open(b *bundle.Bundle) (follow.Catalog, error) {
	p := c.running()
	if p == nil {
		var err error
		p, err = c.flags.watch(kube.Rules{Mesh: nameOf(b.Mesh.Settings), TrustDomain: b.Mesh.Settings.TrustDomain}, c.log)
		if err != nil {
			return nil, err
		}
		c.mu.Lock()
		c.provider = p
		c.mu.Unlock()
	}
	wait := impatience
	if c.asked {
		wait = 0
	}
	c.asked = true
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	if err := p.Wait(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

// nameOf is the name that namespaces have in their label, "" for a mesh that nobody
// named: any will do.
func nameOf(set ir.Settings) string {
	if set.Name == "default" {
		return ""
	}
	return set.Name
}

func (c *clusterCatalog) close() {
	if p := c.running(); p != nil {
		_ = p.Close() // it never fails
	}
}

// tokens judges what the cluster's kubelets project into pods, beside join tokens.
func (c *clusterCatalog) tokens(set ir.Settings, grace time.Duration, state string, joined *token.Store,
	known func() *catalog.Snapshot, degraded func(string),
) (eitherTokens, error) {
	config, err := kube.Config(c.flags.kubeconfig, c.flags.context)
	if err != nil {
		return eitherTokens{}, err
	}
	projected, err := kube.NewTokens(kube.TokenOptions{
		Config: config, TrustDomain: set.TrustDomain, State: state, Grace: grace, Log: c.log, Catalog: known, Degraded: degraded,
		Pods: c.running,
	})
	return eitherTokens{joined, projected}, err
}

// eitherTokens picks who judges a token by what it says: what it is worth, only
// that one tells.
type eitherTokens struct {
	joined    *token.Store
	projected *kube.Tokens
}

// Verify judges a token.
func (e eitherTokens) Verify(raw string, now time.Time) (token.Claims, error) {
	if kube.IsProjected(raw) {
		return e.projected.Verify(raw, now)
	}
	return e.joined.Verify(raw, now)
}

// Revoked judges it again. Join tokens are of a family; others are of none.
func (e eitherTokens) Revoked(c token.Claims) (bool, error) {
	if c.Family == "" {
		return e.projected.Revoked(c)
	}
	return e.joined.Revoked(c)
}
