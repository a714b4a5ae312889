package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/catalog/ca"
	"github.com/meshc/meshc/catalog/kube"
	"github.com/meshc/meshc/catalog/token"
	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/deploy/upkeep"
	"github.com/meshc/meshc/gitops/live"
	"github.com/meshc/meshc/xds/follow"
	"github.com/meshc/meshc/xds/server"
)

// controllerFlags are the flags of controller.
type controllerFlags struct {
	serveFlags
	namespace string
	domain    string
	leads     bool
	leave     time.Duration
	leaves    <-chan struct{} // closed when the process is told to end
	hooks     hookFlags
}

const controllerHelp = `Run the control plane of a mesh in a Kubernetes cluster: SMI objects and the Mesh
are compiled as they change, and served to the proxies over xDS. Every replica
compiles and serves.

An object with an error keeps its last accepted form in force until it is mended
or deleted, and stops no other. While the API server is away, what was served
stays.

One replica leads (the Lease meshc-controller): it writes what became of objects into
their status, and events. Where the Mesh names a bundle (spec.bundle), that is served
instead of the objects; with --trust it must be signed by one of the keys.`

func newControllerCmd(s streams) *cobra.Command {
	f := &controllerFlags{}
	cmd := &cobra.Command{
		Use:     "controller",
		Short:   "Run the control plane in a Kubernetes cluster",
		Long:    controllerHelp,
		Example: "  meshc controller --mesh shop --state /var/lib/meshc\n  meshc controller --kubeconfig ~/.kube/config --state ./state --host localhost",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			plain := f.plainHTTP
			f.plainHTTP = false // whether the Mesh names a registry is not known yet
			err := errors.Join(f.check(), f.hooks.check())
			if err == nil && f.domain != "" && !ir.ValidTrustDomain(f.domain) {
				err = usage(fmt.Errorf("--trust-domain %q is no trust domain", f.domain))
			}
			if f.plainHTTP = plain; err != nil {
				return err
			}
			told, stop := untilStopped(cmd)
			defer stop()
			f.leaves = told.Done()
			return f.run(leaving(told, f.leave), s)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.mesh, "mesh", "mesh", "`NAME` of the mesh and of its Mesh object; without that object the defaults hold")
	flags.StringVar(&f.namespace, "namespace", cmp.Or(os.Getenv("POD_NAMESPACE"), "meshc-system"), "`NAMESPACE` of the control plane")
	flags.StringVar(&f.domain, "trust-domain", "", "trust `DOMAIN` of a new mesh (default what its Mesh says, else cluster.local); one that has an authority keeps its own")
	flags.StringVar(&f.follow.State, "state", "/var/lib/meshc", "`DIR` for what must survive a restart of the process")
	flags.StringVar(&f.listen, "listen", ":15128", "`ADDRESS` for proxies")
	flags.StringVar(&f.admin, "admin", ":15129", "`ADDRESS` for /healthz, /readyz, /metrics and /status, plain HTTP; empty: none")
	flags.StringSliceVar(&f.hosts, "host", nil, "`NAMES` and addresses that the server's certificate is for (default meshc-controller.NAMESPACE.svc, and this machine's)")
	flags.StringVar(&f.follow.Trust, "trust", "", "take a bundle that the Mesh names only if it is signed by one of the public keys in this file or folder of `KEYS`")
	f.registryFlags.add(cmd)
	flags.BoolVar(&f.leads, "leader-elect", true, "write status only while this replica holds the lease; false: it is the only one")
	flags.DurationVar(&f.leave, "leave-after", 0, "how long a replica that was told to end serves on, so that its cluster has learned by then that it leaves (the chart says 10s)")
	f.hooks.add(flags)
	f.clusterFlags.add(cmd)
	flags.BoolVar(&f.profiles, "pprof", false, "serve profiles under /debug/pprof on the admin address")
	flags.StringVar(&f.logFormat, "log-format", "text", "`FORMAT` of the log on standard error: text or json")
	flags.StringVar(&f.logLevel, "log-level", "info", "least `LEVEL` that is logged: debug, info, warn, error")
	f.flags = flags
	f.report = addReportFlags(cmd)
	return cmd
}

func (f *controllerFlags) run(ctx context.Context, s streams) error {
	log, err := f.logger(s)
	if err != nil {
		return err
	}
	config, err := kube.Config(f.kubeconfig, f.context)
	if err != nil {
		return input(err)
	}
	klog.SetSlogLogger(slog.New(slog.DiscardHandler)) // the rooms tell what is wrong, once
	kept, err := follow.KeptBundle(f.follow.State)
	if err != nil {
		kept = nil // the first start of a pod
	}
	l, err := live.Watch(live.Options{Config: config, Mesh: f.mesh, Namespace: f.namespace, Clusters: f.clusters, Log: log, Open: f.opener(),
		TrustDomain: f.trustDomain(config), Kept: kept, RuleSets: f.ruleSets()})
	if err != nil {
		return input(err)
	}
	defer l.Close()
	early, err := f.openAdmin(log)
	if err != nil {
		return input(err)
	}
	defer early.close()
	if err := f.awaitCluster(ctx, l, log); err != nil {
		return err
	}
	f.follow.Log, f.follow.Bundle, f.follow.Catalog = log, "the cluster's objects", fromCluster
	f.follow.Source, f.follow.Settle, f.follow.Mesh, f.follow.Judged = l, -1, f.mesh, true
	f.follow.Trust = "" // its opener judged what has a signature
	f.follow.Open = func(*bundle.Bundle) (follow.Catalog, error) { return openLive(l) }
	if ctx.Err() != nil {
		return nil
	}
	follower, findings, err := follow.Start(ctx, f.follow)
	if reported := f.report.emit(s, findings, nil); err != nil {
		if reported != nil {
			return reported
		}
		return input(err)
	}
	return f.start(ctx, l, config, follower, early, log)
}

// trustDomain tells that of the authority that there is; where there is none yet, the one
// that a new mesh is to have.
func (f *controllerFlags) trustDomain(config *rest.Config) func(context.Context) string {
	return func(ctx context.Context) string {
		if f.hooks.listen == "" { // the authority is the state folder's own
			own, _ := ca.FolderDomain(f.follow.State) // a folder that cannot be read is told of when it is opened
			return cmp.Or(own, f.domain)
		}
		return cmp.Or(upkeep.TrustDomain(ctx, config, f.namespace, f.follow.State), f.domain)
	}
}

// awaitCluster waits until the cluster's policy was compiled; where an earlier process
// kept what it served, not for long.
func (f *controllerFlags) awaitCluster(ctx context.Context, l *live.Live, log *slog.Logger) error {
	kept := follow.Kept(f.follow.State)
	for ctx.Err() == nil {
		wait, cancel := context.WithTimeout(ctx, impatience)
		err := l.Wait(wait)
		cancel()
		if err == nil {
			_, _, err = l.Fetch(ctx)
		}
		if err == nil || kept {
			return nil
		}
		log.Warn("the cluster's policy is not known yet, and nothing can be served without it", "error", err)
	}
	return nil // it was stopped
}

// start serves until ctx ends.
func (f *controllerFlags) start(ctx context.Context, l *live.Live, config *rest.Config, follower *follow.Follower, early *earlyAdmin, log *slog.Logger) error {
	set := follower.Bundle().Mesh.Settings
	f.hosts = f.controllerNames(set.ClusterDomain)
	leaf, intermediate := f.lifetimes(set)
	h, err := f.openHooks(config, l, log)
	if err != nil {
		return input(err)
	}
	authority, err := h.authority(ctx, ca.Options{TrustDomain: set.TrustDomain, Leaf: leaf, Intermediate: intermediate})
	if err != nil {
		return input(err)
	}
	tokens, err := token.Open(f.follow.State, token.Options{Log: log})
	if err != nil {
		return input(err)
	}
	var srv *server.Server
	projected, err := kube.NewTokens(kube.TokenOptions{
		Config: config, TrustDomain: set.TrustDomain, State: f.follow.State, Grace: f.authGrace(set), Log: log, Pods: l.Catalog,
		Catalog:  func() *catalog.Snapshot { return srv.World().Snapshot() },
		Degraded: func(reason string) { srv.Degrade("authentication", reason, nil) },
	})
	if err != nil {
		return input(err)
	}
	certificate := authority.GetCertificate(f.hosts)
	srv, err = server.New(server.Options{Authority: authority, Certificate: certificate, Tokens: eitherTokens{tokens, projected}, Log: log})
	if err != nil {
		return engine(err)
	}
	defer srv.Close()
	srv.Registry().MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	srv.Registry().MustRegister(l.Collectors()...)
	early.hand(srv.AdminHandler(f.profiles))
	group, ctx := errgroup.WithContext(ctx)
	if err := h.start(ctx, group, l, authority, func() ir.Settings { return follower.Bundle().Mesh.Settings }, srv); err != nil {
		return input(err)
	}
	group.Go(func() error {
		l.Report(ctx, live.ReportOptions{Namespace: f.namespace, Self: replicaName(), Always: !f.leads, Drift: func() diag.List { return driftOf(srv) },
			Proxies: func() live.Proxies { return proxiesOf(srv.Status()) }})
		return nil
	})
	group.Go(func() error {
		return f.serve(ctx, issuing{srv, &f.serveFlags, authority, log, projected.SetGrace}, follower, certificate, tokens.Handler(), log)
	})
	return group.Wait()
}

// replicaName is this replica's: its pod's, in a cluster.
func replicaName() string {
	if name := os.Getenv("POD_NAME"); name != "" { // in a node's network the host's name is not the pod's
		return name
	}
	name, err := os.Hostname()
	if err != nil {
		name = "meshc"
	}
	return name
}

// controllerNames are what proxies call the control plane.
func (f *controllerFlags) controllerNames(clusterDomain string) []string {
	if f.flags.Changed("host") {
		return f.hosts
	}
	name := fmt.Sprintf("meshc-controller.%s.svc", f.namespace)
	return append([]string{name, name + "." + cmp.Or(clusterDomain, "cluster.local")}, f.names()...)
}
