package main

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/catalog/ca"
	"github.com/meshc/meshc/catalog/token"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/xds/follow"
	"github.com/meshc/meshc/xds/server"
)

// serveFlags are the flags of serve.
type serveFlags struct {
	registryFlags
	clusterFlags
	serveOrigin
	follow       follow.Options
	sources      []string
	close        func() // of the sources
	listen       string
	admin        string
	renew        string
	hosts        []string
	leaf         time.Duration
	intermediate time.Duration
	profiles     bool
	clock        string
	logFormat    string
	logLevel     string
	report       *reportFlags
}

const serveHelp = `Serve a bundle to the proxies of a mesh over xDS: aggregated discovery, delta and
state of the world, over TLS. A proxy proves itself by a join token (see "meshc
token") or by a client certificate of this mesh; it gets what its identity may
have and nothing else.

The bundle's folder and the catalog are watched: a change is served at once, and
what is refused changes nothing. The last good ones are kept in the state folder
and served when the given ones cannot be at the start. SIGTERM ends it; proxies
keep what they have.

With oci://REF for a bundle, the registry is asked every --poll; one that is named
by digest is fetched once. While the registry is away, what was served stays.

With "cluster" for a catalog, it is read from a Kubernetes cluster: the one of
--kubeconfig and --context, or the one that this runs in. While its API server is
away, what was served stays. Proxies then prove themselves by the token, with
audience meshc, that their kubelet projects into the pod; join tokens count as well.

With --sources there is no bundle: the manifests are compiled here, and again
when they change. Faulty ones change nothing that is served; what was found is in
the log and in "meshc status". It is for machines where nobody else builds, and
for trying things out: no review and no signature stands before it.

With --trust, a bundle must be signed by one of the keys; the keys are watched
too. A bundle of a smaller epoch than the one that is served is refused, also
after a restart. To go back to an older one, name its digest with --rollback; if
that would allow what is closed now, it takes --allow-widen as well.`

func newServeCmd(s streams) *cobra.Command {
	f := &serveFlags{}
	cmd := &cobra.Command{
		Use:   "serve --bundle DIR|oci://REF --catalog FILE|cluster --state DIR",
		Short: "Serve a bundle to the proxies of a mesh over xDS",
		Long:  serveHelp,
		Example: `  meshc serve --bundle ./bundle --catalog catalog.yaml --state /var/lib/meshc
  meshc serve --bundle oci://registry.example/mesh:stable --catalog catalog.yaml --state /var/lib/meshc --trust mesh.pub
  meshc serve --sources ./mesh --catalog catalog.yaml --state /var/lib/meshc
  meshc serve --bundle ./bundle --catalog cluster --state /var/lib/meshc
  meshc status`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			ctx, stop := untilStopped(cmd)
			defer stop()
			return f.run(ctx, s)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.follow.Bundle, "bundle", "", "`DIR` that 'meshc build -o DIR' wrote, or a reference oci://HOST/NAME[:TAG|@DIGEST]")
	flags.StringArrayVar(&f.sources, "sources", nil, "instead of a bundle: manifests in this `PATH` (repeatable), compiled whenever they change")
	flags.StringVar(&f.follow.Catalog, "catalog", "", "`FILE` with services, endpoints and workloads, see docs/catalog.md, or the word cluster (required)")
	f.clusterFlags.add(cmd)
	f.registryFlags.add(cmd)
	flags.DurationVar(&f.follow.Fetch, "poll", 30*time.Second, "how often a registry is asked for a newer bundle")
	stateFlag(cmd, &f.follow.State)
	flags.StringVar(&f.listen, "listen", ":15128", "`ADDRESS` for proxies")
	flags.StringVar(&f.admin, "admin", "127.0.0.1:15129", "`ADDRESS` for /healthz, /readyz, /metrics and /status, plain HTTP; empty: none")
	flags.StringVar(&f.renew, "renew-listen", "", "`ADDRESS` for `meshc token renew`, HTTPS (default none)")
	flags.StringSliceVar(&f.hosts, "host", nil, "`NAMES` and addresses that the server's certificate is for (default this machine's)")
	flags.DurationVar(&f.leaf, "leaf", 0, "`LIFE` of the proxies' certificates (default certificates.leaf of the mesh, else 24h)")
	flags.DurationVar(&f.intermediate, "intermediate", 0, "`LIFE` of the intermediate authority (default certificates.intermediate of the mesh, else 2160h)")
	flags.StringVar(&f.follow.Trust, "trust", "", "take bundles only that are signed by one of the public keys in this file or folder of `KEYS`")
	f.serveOrigin.add(flags)
	flags.StringVar(&f.follow.Rollback, "rollback", "", "take the bundle with this policy or bundle `DIGEST` although it is older than what is served")
	flags.BoolVar(&f.follow.AllowWiden, "allow-widen", false, "let --rollback allow again what is closed now")
	flags.BoolVar(&f.profiles, "pprof", false, "serve profiles under /debug/pprof on the admin address")
	flags.StringVar(&f.logFormat, "log-format", "text", "`FORMAT` of the log on standard error: text or json")
	flags.StringVar(&f.logLevel, "log-level", "info", "least `LEVEL` that is logged: debug, info, warn, error")
	flags.StringVar(&f.clock, "test-clock", "", "`FILE` with how far this server's clock is off, for tests of meshc itself")
	_ = flags.MarkHidden("test-clock")  // it fails only for a flag that is not there
	_ = cmd.MarkFlagRequired("catalog") // it fails only for a flag that is not there
	cmd.MarkFlagsOneRequired("bundle", "sources")
	for _, name := range []string{"bundle", "trust", "rollback"} {
		cmd.MarkFlagsMutuallyExclusive("sources", name)
	}
	f.report = addReportFlags(cmd)
	return cmd
}

func (f *serveFlags) run(ctx context.Context, s streams) error {
	log, err := f.logger(s)
	if err != nil {
		return err
	}
	now, err := testClock(f.clock)
	if err != nil {
		return err
	}
	f.follow.Log = log
	if f.follow.Trust == "" && len(f.sources) == 0 {
		log.Warn("bundles are taken unsigned: name the keys that must sign them with --trust")
	}
	if err := f.source(); err != nil {
		return err
	}
	if f.close != nil {
		defer f.close()
	}
	cluster := &clusterCatalog{flags: &f.clusterFlags, log: log}
	if f.follow.Catalog == fromCluster {
		f.follow.Open = cluster.open
		defer cluster.close()
	}
	follower, findings, err := follow.Start(ctx, f.follow)
	if reported := f.report.emit(s, findings, nil); err != nil {
		if reported != nil {
			return reported // nothing can be served, and the findings say why
		}
		return input(err)
	}
	set := follower.Bundle().Mesh.Settings
	leaf, intermediate := f.lifetimes(set)
	authority, err := ca.Open(f.follow.State, ca.Options{TrustDomain: set.TrustDomain, Leaf: leaf, Intermediate: intermediate, Now: now})
	if err != nil {
		return input(err)
	}
	tokens, err := token.Open(f.follow.State, token.Options{Log: log, Now: now})
	if err != nil {
		return input(err)
	}
	certificate := authority.GetCertificate(f.names())
	var srv *server.Server
	verifier, grace, err := f.verifier(cluster, set, tokens, func() *server.Server { return srv })
	if err != nil {
		return input(err)
	}
	srv, err = server.New(server.Options{Authority: authority, Certificate: certificate, Tokens: verifier, Log: log, Now: now})
	if err != nil {
		return engine(err)
	}
	defer srv.Close()
	srv.Registry().MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return f.serve(ctx, issuing{srv, f, authority, log, grace}, follower, certificate, tokens.Handler(), log)
}

// verifier judges the tokens that proxies bring: join tokens, and beside a cluster those
// that it projects. grace sets how long the latter count while the cluster is away.
func (f *serveFlags) verifier(cluster *clusterCatalog, set ir.Settings, tokens *token.Store, srv func() *server.Server) (v server.TokenVerifier, grace func(time.Duration), err error) {
	if f.follow.Catalog != fromCluster {
		return tokens, nil, nil
	}
	degraded := func(reason string) { srv().Degrade("authentication", reason, nil) }
	known := func() *catalog.Snapshot { return srv().World().Snapshot() }
	either, err := cluster.tokens(set, f.authGrace(set), f.follow.State, tokens, known, degraded)
	if err != nil {
		return nil, nil, err
	}
	return either, either.projected.SetGrace, nil
}

// serve listens on all addresses, then runs until ctx ends or one of them fails.
func (f *serveFlags) serve(ctx context.Context, srv issuing, follower *follow.Follower,
	certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error), renewal http.Handler, log *slog.Logger,
) error {
	follower.Supply(srv) // before anybody can connect
	group, ctx := errgroup.WithContext(ctx)
	proxies, err := net.Listen("tcp", f.listen)
	if err != nil {
		return input(err)
	}
	log.Info("listening for proxies", "address", proxies.Addr().String(), "names", f.names())
	group.Go(func() error { return srv.Serve(proxies) })
	for _, h := range []struct {
		what, address string
		handler       http.Handler
		secure        *tls.Config
	}{
		{"operators", f.admin, srv.AdminHandler(f.profiles), nil},
		{"token renewal", f.renew, renewal, &tls.Config{GetCertificate: certificate, MinVersion: tls.VersionTLS12}},
	} {
		if h.address == "" {
			continue
		}
		l, err := net.Listen("tcp", h.address)
		if err != nil {
			proxies.Close()
			return input(err)
		}
		log.Info("listening for "+h.what, "address", l.Addr().String())
		if h.secure != nil {
			l = tls.NewListener(l, h.secure)
		}
		web := &http.Server{Handler: h.handler, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
		context.AfterFunc(ctx, func() { stopWeb(web) })
		group.Go(func() error {
			if err := web.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		})
	}
	group.Go(func() error { follower.Run(ctx, srv); return nil })
	context.AfterFunc(ctx, srv.Close)
	if err := group.Wait(); err != nil {
		return engine(err)
	}
	log.Info("stopped; proxies keep what they have")
	return nil
}

// stopWeb lets requests that are under way end.
func stopWeb(web *http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = web.Shutdown(ctx) // what does not end in time is cut
}

// names are what the server's certificate is for: this machine and its loopback
// if not said otherwise.
func (f *serveFlags) names() []string {
	if len(f.hosts) > 0 {
		return f.hosts
	}
	out := []string{"localhost", "127.0.0.1", "::1"}
	if name, err := os.Hostname(); err == nil && name != "localhost" {
		out = append(out, name)
	}
	if host, _, err := net.SplitHostPort(f.listen); err == nil && host != "" {
		if a, err := netip.ParseAddr(host); err != nil || !a.IsUnspecified() && !a.IsLoopback() {
			out = append(out, host)
		}
	}
	return out
}
