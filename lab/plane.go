package lab

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/catalog/ca"
	"github.com/meshc/meshc/catalog/token"
	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/dataplane/bootstrap"
	"github.com/meshc/meshc/xds/server"
)

// Plane is the control plane of a lab's proxies.
type Plane interface {
	// Set serves a bundle with what runs. The findings say where the two disagree.
	Set(*bundle.Bundle, *catalog.Snapshot) (diag.List, error)
	// AwaitAcks waits until the proxies of all the workloads have what is served.
	AwaitAcks(ctx context.Context, workloads []string) error
	// Token is a join token for the proxy of a workload.
	Token(id ir.Identity, workload string) (string, error)
	// Roots are, in PEM, what proxies hold its certificate against.
	Roots() []byte
	Close() error
}

// Site is the place a lab has for its control plane.
type Site struct {
	Dir         string // for its state; not made yet
	TrustDomain string
	Address     netip.AddrPort                             // where the proxies look for it
	Listen      func(address string) (net.Listener, error) // in the lab's network, for this process
}

// plane is the lab's own: it runs in this process and listens on the bridge.
type plane struct {
	authority *ca.Authority
	tokens    *token.Store
	server    *server.Server
}

// newPlane starts a control plane with its state in a folder of its own.
func newPlane(site Site, config *syntax.Config, log *slog.Logger) (*plane, error) {
	opts := ca.Options{TrustDomain: site.TrustDomain, Leaf: lifetime(config.LeafLifetime), Intermediate: lifetime(config.Intermediate)}
	authority, err := ca.Open(site.Dir, opts)
	if err != nil {
		return nil, err
	}
	tokens, err := token.Open(site.Dir, token.Options{Log: log})
	if err != nil {
		return nil, err
	}
	srv, err := server.New(server.Options{
		Authority: authority, Certificate: authority.GetCertificate([]string{site.Address.Addr().String()}), Tokens: tokens, Log: log,
	})
	if err != nil {
		return nil, err
	}
	listener, err := site.Listen(site.Address.String())
	if err != nil {
		srv.Close()
		return nil, err
	}
	go func() {
		if err := srv.Serve(listener); err != nil {
			log.Error("the control plane has ended", "error", err)
		}
	}()
	return &plane{authority, tokens, srv}, nil
}

func lifetime(d *time.Duration) time.Duration {
	if d == nil {
		return 0
	}
	return *d
}

// site is where the control plane of this lab has its place.
func (l *Lab) site(trustDomain string) Site {
	return Site{
		Dir: filepath.Join(l.claim.dir, "state"), TrustDomain: trustDomain, Listen: l.ground.box.Listen,
		Address: netip.AddrPortFrom(bridge4.Addr(), bootstrap.XDSPort),
	}
}

func (p *plane) Set(b *bundle.Bundle, s *catalog.Snapshot) (diag.List, error) {
	return p.server.Set(b, s), nil
}

func (p *plane) AwaitAcks(ctx context.Context, workloads []string) error {
	if len(workloads) == 0 {
		return nil // the server would take no name for every name
	}
	return p.server.WaitAcked(ctx, workloads...)
}

func (p *plane) Token(id ir.Identity, workload string) (string, error) {
	raw, _, err := p.tokens.Create(id, workload, tokenLife)
	return raw, err
}

func (p *plane) Roots() []byte { return p.authority.Roots() }

// Close ends the control plane.
func (p *plane) Close() error {
	p.server.Close()
	return nil
}
