package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/klog/v2"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/catalog/kube"
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
	klog.SetSlogLogger(slog.New(slog.DiscardHandler)) // the provider tells what is wrong, once
	return kube.Watch(kube.Options{Rules: rules, Config: config, Clusters: f.clusters, Log: log})
}

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
	flags    *clusterFlags
	log      *slog.Logger
	provider *kube.Provider
	asked    bool
}

// open waits for the cluster the first time only: later somebody is being served.
func (c *clusterCatalog) open(b *bundle.Bundle) (follow.Catalog, error) {
	if c.provider == nil {
		p, err := c.flags.watch(kube.Rules{Mesh: b.Mesh.Settings.Name, TrustDomain: b.Mesh.Settings.TrustDomain}, c.log)
		if err != nil {
			return nil, err
		}
		c.provider = p
	}
	wait := impatience
	if c.asked {
		wait = 0
	}
	c.asked = true
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	if err := c.provider.Wait(ctx); err != nil {
		return nil, err
	}
	return c.provider, nil
}

func (c *clusterCatalog) close() {
	if c.provider != nil {
		_ = c.provider.Close() // it never fails
	}
}
