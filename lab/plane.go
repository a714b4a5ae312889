package lab

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/catalog/ca"
	"github.com/meshc/meshc/catalog/token"
	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/dataplane/bootstrap"
	"github.com/meshc/meshc/lab/sandbox"
	"github.com/meshc/meshc/xds/server"
)

// plane is the lab's control plane: it runs in this process and listens on the
// bridge.
type plane struct {
	authority *ca.Authority
	tokens    *token.Store
	server    *server.Server
	address   string
}

// newPlane starts a control plane with its state in a folder of its own.
func newPlane(dir string, config *syntax.Config, trustDomain string, box *sandbox.Sandbox, log *slog.Logger) (*plane, error) {
	opts := ca.Options{TrustDomain: trustDomain, Leaf: lifetime(config.LeafLifetime), Intermediate: lifetime(config.Intermediate)}
	authority, err := ca.Open(dir, opts)
	if err != nil {
		return nil, err
	}
	tokens, err := token.Open(dir, token.Options{Log: log})
	if err != nil {
		return nil, err
	}
	at := netip.AddrPortFrom(bridge4.Addr(), bootstrap.XDSPort)
	srv, err := server.New(server.Options{
		Authority: authority, Certificate: authority.GetCertificate([]string{at.Addr().String()}), Tokens: tokens, Log: log,
	})
	if err != nil {
		return nil, err
	}
	listener, err := box.Listen(at.String())
	if err != nil {
		srv.Close()
		return nil, err
	}
	go func() {
		if err := srv.Serve(listener); err != nil {
			log.Error("the control plane has ended", "error", err)
		}
	}()
	return &plane{authority, tokens, srv, at.String()}, nil
}

func lifetime(d *time.Duration) time.Duration {
	if d == nil {
		return 0
	}
	return *d
}

// set serves a bundle with what runs. The findings say where the two disagree.
func (p *plane) set(b *bundle.Bundle, s *catalog.Snapshot) diag.List { return p.server.Set(b, s) }

// awaitAcks waits until the proxies of all the workloads have what is served.
func (p *plane) awaitAcks(ctx context.Context, workloads []string) error {
	if len(workloads) == 0 {
		return nil // the server would take no name for every name
	}
	return p.server.WaitAcked(ctx, workloads...)
}

// Close ends the control plane.
func (p *plane) Close() error {
	p.server.Close()
	return nil
}
