// Package server serves a mesh to its proxies: aggregated discovery over TLS,
// delta and state of the world. A stream's identity comes from its authenticated
// transport alone. Each stream is a session of the cache behind one server of
// go-control-plane. It knows neither how bundles are compiled nor where
// catalogs come from: Set gives it both.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/catalog/ca"
	"github.com/meshc/meshc/catalog/token"
	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/xds/cache"
	"github.com/meshc/meshc/xds/link"
)

// TokenVerifier judges join tokens; *token.Store is one.
type TokenVerifier interface {
	Verify(raw string, now time.Time) (token.Claims, error)
	Revoked(token.Claims) (bool, error)
}

// Options of a Server. Authority and Certificate are required.
type Options struct {
	// Authority issues the proxies' certificates and is trusted for theirs.
	Authority ca.Issuer
	// Certificate is the server's own, asked for at each handshake.
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// Tokens judges join tokens; without it only client certificates count.
	Tokens TokenVerifier
	Log    *slog.Logger // none if nil
	// AckTimeout is how long clusters may go unanswered; 10 s if zero.
	AckTimeout time.Duration
	// Recheck is how often revocations and roots are looked at; 2 s if zero.
	Recheck time.Duration
	// Leaf is the life of the proxies' certificates; the authority's own if zero.
	Leaf time.Duration
	// Now is the clock that credentials and certificates are judged by; time.Now if nil.
	Now func() time.Time
}

// Server serves one mesh. It is safe for concurrent use.
type Server struct {
	opts    Options
	cache   *cache.Cache
	metrics *metrics
	grpc    *grpc.Server
	ctx     context.Context
	stop    context.CancelFunc
	idle    chan struct{} // closed when recheck has ended

	setting sync.Mutex // one Set after the other

	mu       sync.Mutex
	streams  map[*stream]struct{}
	roots    *link.Resource
	rejected []Rejected
	degraded map[string]Degraded
	loadedAt time.Time
	rotation *ca.Rotation // of the root, nil without one
	ailing   string       // what is wrong with the issuer; recheck's own
}

// maxRequest bounds a request, in bytes: a proxy that comes back names every
// resource it has, with a version, in some 150 bytes each.
const maxRequest = 16 << 20

// New makes a server. It refuses streams until the first Set.
func New(opts Options) (*Server, error) {
	if opts.Authority == nil || opts.Certificate == nil {
		return nil, errors.New("xds server: an authority and a certificate are required")
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Recheck == 0 {
		opts.Recheck = 2 * time.Second
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Server{opts: opts, cache: cache.New(cache.AtOnce{}), ctx: ctx, stop: stop, idle: make(chan struct{}), streams: map[*stream]struct{}{}, degraded: map[string]Degraded{}}
	s.metrics = newMetrics()
	s.roots = rootsSecret(opts.Authority.Roots())
	s.grpc = grpc.NewServer(
		grpc.Creds(credentials.NewTLS(s.tlsConfig())),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 30 * time.Second, Timeout: 20 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
		grpc.MaxConcurrentStreams(16),
		grpc.MaxRecvMsgSize(maxRequest),
		grpc.WaitForHandlers(true), // a handler may be writing a leaf to the state folder
	)
	discovery.RegisterAggregatedDiscoveryServiceServer(s.grpc, &ads{server: s})
	go s.recheck()
	return s, nil
}

// Set serves a bundle bound to a snapshot. The findings say where they disagree;
// the world is served all the same, closed where it has to be.
func (s *Server) Set(b *bundle.Bundle, snap *catalog.Snapshot) diag.List {
	s.setting.Lock()
	defer s.setting.Unlock()
	start := time.Now()
	w := link.After(s.cache.World(), b, snap, s.withheld)
	s.cache.Set(w)
	s.metrics.pushed(w, time.Since(start))
	s.mu.Lock()
	s.loadedAt = time.Now()
	s.mu.Unlock()
	return w.Findings()
}

// withheld logs what is not served because it is not what it should be.
func (s *Server) withheld(f diag.Finding) {
	s.opts.Log.Error(f.Message, "code", string(f.Code), "effect", f.Effect)
}

// Serve takes streams on a listener until Close. It serves TLS; the listener is plain TCP.
func (s *Server) Serve(l net.Listener) error {
	err := s.grpc.Serve(l)
	if errors.Is(err, grpc.ErrServerStopped) {
		return nil
	}
	return err
}

// Close ends all streams and stops serving. Proxies keep what they have.
func (s *Server) Close() {
	s.stop()
	s.grpc.Stop()
	<-s.idle
}

// Registry holds the server's metrics.
func (s *Server) Registry() *prometheus.Registry { return s.metrics.registry }

// World is what is served, nil before the first Set.
func (s *Server) World() *link.World { return s.cache.World() }

// recheck closes streams whose credential was revoked or has expired, and
// carries changed roots to all, until the server is closed.
func (s *Server) recheck() {
	defer close(s.idle)
	tick := time.NewTicker(s.opts.Recheck)
	defer tick.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case now := <-tick.C:
			s.checkRoots()
			s.rotate(now)
			for _, st := range s.open() {
				if reason := st.credential.void(s.opts.Now()); reason != "" {
					st.end(reason)
				}
			}
		}
	}
}

func (s *Server) checkRoots() {
	s.mu.Lock() // also while they are read: older ones must not overtake newer ones
	defer s.mu.Unlock()
	now := rootsSecret(s.opts.Authority.Roots())
	if now.Version == s.roots.Version {
		return
	}
	s.roots = now
	s.opts.Log.Info("the roots of trust changed")
	for st := range s.streams {
		st.session.Provide(now)
	}
}

func (s *Server) open() []*stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*stream, 0, len(s.streams))
	for st := range s.streams {
		out = append(out, st)
	}
	return out
}
