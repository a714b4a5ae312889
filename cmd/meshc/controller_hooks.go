package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"

	"github.com/meshc/meshc/admission/inject"
	"github.com/meshc/meshc/admission/validate"
	"github.com/meshc/meshc/admission/webhook"
	"github.com/meshc/meshc/catalog/ca"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/deploy/crds"
	"github.com/meshc/meshc/deploy/upkeep"
	"github.com/meshc/meshc/gitops/live"
	"github.com/meshc/meshc/xds/server"
)

// hookFlags say how API servers are answered, and what pods are given.
type hookFlags struct {
	listen, certs string
	image, envoy  string
	sidecar       string
	interception  string
	pull          string
	clientCA      string
}

func (f *hookFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.listen, "webhooks", "", "`ADDRESS` for API servers, HTTPS; the chart says :9443; empty: none, and neither admission nor injection")
	flags.StringVar(&f.certs, "webhook-certs", "", "`DIR` with tls.crt, tls.key and ca.crt that somebody else keeps (default: made and renewed here)")
	flags.StringVar(&f.clientCA, "webhook-client-ca", "", "judge and inject only for API servers that show a certificate of one of these authorities, a PEM `FILE`")
	flags.StringVar(&f.image, "image", "", "`IMAGE` with meshc, for the pods' interception (required with --webhooks)")
	flags.StringVar(&f.envoy, "envoy-image", "", "`IMAGE` of a stock Envoy, for the pods' proxies (required with --webhooks)")
	flags.StringVar(&f.sidecar, "sidecar", string(inject.Native), "native (kubelets from 1.29) or classic")
	flags.StringVar(&f.pull, "image-pull-policy", "", "`POLICY` by which nodes pull both images for pods: Always, IfNotPresent or Never (default Kubernetes' own: Always for the tag latest, else IfNotPresent)")
	flags.StringVar(&f.interception, "interception", string(inject.ByInit), "init (a container of the pod, with NET_ADMIN) or cni (the nodes run meshc cni, and pods need no privilege)")
}

func (f *hookFlags) check() error {
	switch {
	case f.sidecar != string(inject.Native) && f.sidecar != string(inject.Classic):
		return usage(fmt.Errorf("--sidecar %q is neither native nor classic", f.sidecar))
	case f.interception != string(inject.ByInit) && f.interception != string(inject.ByCNI):
		return usage(fmt.Errorf("--interception %q is neither init nor cni", f.interception))
	case !slices.Contains(pullPolicies, f.pull):
		return usage(fmt.Errorf("--image-pull-policy %q is none of Always, IfNotPresent, Never", f.pull))
	case f.listen == "" && f.clientCA != "":
		return usage(errors.New("--webhook-client-ca is held against who calls --webhooks, which is not given"))
	case f.listen == "" && f.certs != "":
		return usage(errors.New("--webhook-certs are served at --webhooks, which is not given"))
	case f.listen != "" && (f.image == "" || f.envoy == ""):
		return usage(errors.New("--webhooks injects pods: --image and --envoy-image are needed"))
	}
	return nil
}

// pullPolicies are Kubernetes', and none: its default.
var pullPolicies = []string{"", "Always", "IfNotPresent", "Never"}

// hooks are what a control plane keeps in its cluster, and its answers to API servers.
type hooks struct {
	keeper *upkeep.Keeper
	flags  *controllerFlags
	log    *slog.Logger

	mu  sync.Mutex
	srv *server.Server // whose status shows what is not kept; nil before it is there
}

// openHooks prepares to keep; without webhooks there is nothing to keep.
func (f *controllerFlags) openHooks(config *rest.Config, l *live.Live, log *slog.Logger) (*hooks, error) {
	h := &hooks{flags: f, log: log}
	if f.hooks.listen == "" {
		return h, nil
	}
	keeper, err := upkeep.New(upkeep.Options{Config: config, Namespace: f.namespace, Log: log, Leading: l.Leading, Degraded: func(what, reason string) {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.srv != nil {
			h.srv.Degrade(what, reason, nil)
		}
	}})
	h.keeper = keeper
	return h, err
}

// authority is the mesh's: that of all replicas, where they keep one.
func (h *hooks) authority(ctx context.Context, opts ca.Options) (*ca.Authority, error) {
	if h.keeper == nil {
		return ca.Open(h.flags.follow.State, opts)
	}
	return h.keeper.OpenAuthority(ctx, h.flags.follow.State, opts)
}

// start answers API servers until ctx ends.
func (h *hooks) start(ctx context.Context, group *errgroup.Group, l *live.Live, authority *ca.Authority, set func() ir.Settings, srv *server.Server) error {
	if h.keeper == nil {
		return nil
	}
	h.mu.Lock()
	h.srv = srv
	h.mu.Unlock()
	for _, w := range h.keeper.Wrong() { // that it was told of before
		srv.Degrade(w.What, w.Reason, nil)
	}
	f := h.flags
	namespaces, err := h.keeper.OpenNamespaces()
	if err != nil {
		return err
	}
	trust, err := h.keeper.OpenTrust(namespaces, upkeep.TrustOptions{Roots: authority.Roots, Mesh: func() string { return f.mesh }})
	if err != nil {
		return err
	}
	certificates, err := h.keeper.OpenWebhooks(ctx, upkeep.WebhookOptions{Hosts: f.controllerNames(set().ClusterDomain), Folder: f.hooks.certs, Definitions: crds.Converted()})
	if err != nil {
		return err
	}
	clients, err := f.clients()
	if err != nil {
		return err
	}
	answers, err := webhook.New(webhook.Options{
		Clients:  clients,
		Validate: &validate.Handler{Compiler: l, Enforce: l.Enforces, Exempt: []string{f.namespace}},
		Inject: &webhook.Injector{
			Settings: func() inject.Settings { return f.injected(set()) }, Namespace: namespaces.Of, Trusted: trust.Await, Exempt: []string{f.namespace},
		},
		Certificate: certificates.GetCertificate, Registry: srv.Registry(), Log: h.log,
	})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", f.hooks.listen)
	if err != nil {
		return err
	}
	h.log.Info("listening for API servers", "address", listener.Addr().String())
	group.Go(func() error { h.keeper.Run(ctx); return nil })
	group.Go(func() error { return answers.Serve(listener) })
	group.Go(func() error { f.ends(ctx, answers); return nil })
	return nil
}

// ends has API servers go elsewhere from when the process is told to end, and stops with ctx.
func (f *controllerFlags) ends(ctx context.Context, answers *webhook.Server) {
	select {
	case <-f.leaves:
		answers.Leave()
		<-ctx.Done()
	case <-ctx.Done(): // something failed
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_ = answers.Shutdown(bounded) // what does not end in time is cut
}

// clients are the certificates by which API servers are known, where they are to be; nil else.
func (f *controllerFlags) clients() (func() (*x509.CertPool, error), error) {
	if f.hooks.clientCA == "" {
		return nil, nil
	}
	clients := webhook.ClientsOf(f.hooks.clientCA)
	_, err := clients()
	return clients, err
}

// injected are the settings of pods' sidecars.
func (f *controllerFlags) injected(set ir.Settings) inject.Settings {
	_, port, err := net.SplitHostPort(f.listen)
	if err != nil {
		port = "15128"
	}
	return inject.Settings{
		Mesh: f.mesh, TrustDomain: set.TrustDomain, ControlPlane: net.JoinHostPort(f.controllerNames(set.ClusterDomain)[0], port),
		EnvoyImage: f.hooks.envoy, InitImage: f.hooks.image, Form: inject.Form(f.hooks.sidecar), PullPolicy: f.hooks.pull,
		Interception: inject.Interception(f.hooks.interception), Drain: 10 * time.Second,
	}
}
