package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/delta/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/sotw/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/meshc/meshc/xds/cache"
)

// ads is the one service that is registered.
type ads struct {
	discovery.UnimplementedAggregatedDiscoveryServiceServer
	server *Server
}

// DeltaAggregatedResources serves one delta stream by a server of its own: so
// the session, which go-control-plane's cache interface does not name, is known.
func (a *ads) DeltaAggregatedResources(g discovery.AggregatedDiscoveryService_DeltaAggregatedResourcesServer) error {
	d := &deltaStream{}
	return a.server.handle(g.Context(), "delta", cache.Options{Send: d.send}, func(st *stream) error {
		d.stream = st
		return delta.NewServer(st.ctx, d, d).DeltaStreamHandler(g, resource.AnyType)
	})
}

// StreamAggregatedResources serves one state-of-the-world stream in the same way.
func (a *ads) StreamAggregatedResources(g discovery.AggregatedDiscoveryService_StreamAggregatedResourcesServer) error {
	w := newWholeStream()
	return a.server.handle(g.Context(), "sotw", cache.Options{Send: w.send, Whole: true}, func(st *stream) error {
		w.stream = st
		return sotw.NewServer(st.ctx, w, w).StreamHandler(g, resource.AnyType)
	})
}

// stream is one authenticated stream and what belongs to it alone.
type stream struct {
	server     *Server
	session    *cache.Session
	credential credential
	protocol   string
	address    string
	since      time.Time
	log        *slog.Logger
	leaf       *leafKeeper
	ctx        context.Context
	cancel     context.CancelCauseFunc

	mu    sync.Mutex
	node  string // what the client calls itself: a hint for people
	agent string
}

var errEnded = errors.New("ended")

// handle authenticates a stream, opens its session and runs it to its end.
func (s *Server) handle(ctx context.Context, protocol string, opts cache.Options, run func(*stream) error) error {
	st := &stream{server: s, protocol: protocol, since: time.Now()}
	if p, ok := peer.FromContext(ctx); ok {
		st.address = p.Addr.String()
	}
	var err error
	if st.credential, err = s.authenticate(ctx); err != nil {
		return s.reject(st, codes.Unauthenticated, err)
	}
	proxy := st.credential.proxy
	st.log = s.opts.Log.With("identity", string(proxy.Identity), "workload", proxy.Workload, "peer", st.address, "protocol", protocol)
	st.ctx, st.cancel = context.WithCancelCause(ctx)
	defer st.cancel(errEnded)
	st.leaf = newLeafKeeper(st)
	defer st.leaf.stop()
	opts.Log, opts.AckTimeout, opts.Leaf, opts.Observe = st.log, s.opts.AckTimeout, st.leaf.get, s.metrics.observer()
	if st.session, err = s.cache.Open(proxy, opts); err != nil {
		code := codes.PermissionDenied
		if s.cache.World() == nil {
			code = codes.Unavailable
		}
		return s.reject(st, code, err)
	}
	defer st.session.Close()
	s.attach(st)
	defer s.detach(st)
	expiry := time.AfterFunc(st.credential.expires.Sub(s.opts.Now()), func() { st.end(st.credential.void(s.opts.Now())) })
	defer expiry.Stop()
	stopped := context.AfterFunc(s.ctx, func() { st.end("the control plane is stopping") })
	defer stopped()
	st.log.Info("stream opened", "credential", st.credential.kind)
	err = run(st)
	if cause := context.Cause(st.ctx); err == nil && cause != nil && !errors.Is(cause, ctx.Err()) {
		err = cause
	}
	st.log.Info("stream closed", "reason", errorText(err))
	return err
}

func errorText(err error) string {
	if err == nil {
		return "the client left"
	}
	return err.Error()
}

// end closes the stream; the client connects again.
func (st *stream) end(reason string) {
	if reason == "" {
		reason = "the credential has expired"
	}
	code := codes.Unauthenticated
	if st.server.ctx.Err() != nil {
		code = codes.Unavailable
	}
	st.cancel(status.Error(code, reason))
}

// attach lists a stream and gives it the roots, in one step, so that a change of
// the roots misses nobody.
func (s *Server) attach(st *stream) {
	s.checkRoots() // another replica may have changed them a moment ago
	s.mu.Lock()
	defer s.mu.Unlock()
	s.streams[st] = struct{}{}
	st.session.Provide(s.roots)
	s.metrics.streams.WithLabelValues(st.protocol).Inc()
}

func (s *Server) detach(st *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.streams, st)
	s.metrics.streams.WithLabelValues(st.protocol).Dec()
}

// reject refuses a stream with the reason, for the client's log and for status.
func (s *Server) reject(st *stream, code codes.Code, err error) error {
	s.metrics.rejected.WithLabelValues(code.String()).Inc()
	proxy := st.credential.proxy
	s.opts.Log.Warn("stream refused", "identity", string(proxy.Identity), "workload", proxy.Workload, "peer", st.address, "reason", err.Error())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remember(Rejected{At: time.Now(), Times: 1, Peer: st.address, Identity: string(proxy.Identity), Workload: proxy.Workload, Reason: err.Error()})
	return status.Error(code, err.Error())
}

// remember keeps a refusal for status. A proxy tries again every few seconds:
// what repeats is one entry, or it would push out all others. s.mu is held.
func (s *Server) remember(r Rejected) {
	if i := slices.IndexFunc(s.rejected, r.repeats); i >= 0 {
		r.Times += s.rejected[i].Times
		s.rejected = slices.Delete(s.rejected, i, i+1)
	}
	s.rejected = append(s.rejected, r)
	if n := len(s.rejected); n > maxRejected {
		s.rejected = slices.Delete(s.rejected, 0, n-maxRejected)
	}
}

// repeats tells whether a refusal is another's, but for the time and the port.
func (r Rejected) repeats(o Rejected) bool {
	host, _, _ := net.SplitHostPort(r.Peer)
	other, _, _ := net.SplitHostPort(o.Peer)
	return host == other && r.Identity == o.Identity && r.Workload == o.Workload && r.Reason == o.Reason
}

// maxRejected is how many refused streams status remembers.
const maxRejected = 32

// ipv4Only is the node metadata by which a proxy asks for a configuration
// without IPv6 addresses. It opens nothing, so it may come from the node.
const ipv4Only = "meshc.dev/ipv4-only"

// met notes what a client calls itself, when it first does.
func (st *stream) met(n *core.Node) {
	if n == nil {
		return
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.node == "" {
		if n.GetMetadata().GetFields()[ipv4Only].GetBoolValue() {
			st.session.IPv4Only()
		}
		st.node, st.agent = n.GetId(), n.GetUserAgentName()
		if v := n.GetUserAgentBuildVersion().GetVersion(); v != nil {
			st.agent += " " + version(v.GetMajorNumber(), v.GetMinorNumber(), v.GetPatch())
		}
	}
}
