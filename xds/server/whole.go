package server

import (
	"context"
	"sync"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	gcp "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/meshc/meshc/xds/cache"
	"github.com/meshc/meshc/xds/link"
)

// wholeStream joins a session to go-control-plane's state-of-the-world server.
// Each type has a watch of its own, good for one response until the next request.
type wholeStream struct {
	*stream

	mu      sync.Mutex
	watches map[link.Type]*wholeWatch
	pushes  map[*discovery.DiscoveryResponse]cache.Push
	again   map[link.Type]bool
}

type wholeWatch struct {
	request   *discovery.DiscoveryRequest
	responses chan gcp.Response
}

func newWholeStream() *wholeStream {
	return &wholeStream{watches: map[link.Type]*wholeWatch{}, pushes: map[*discovery.DiscoveryResponse]cache.Push{}, again: map[link.Type]bool{}}
}

// send hands a push to the type's watch, if it is still to be answered.
func (w *wholeStream) send(p cache.Push) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	watch := w.watches[p.Type]
	if watch == nil {
		return false
	}
	resp := &discovery.DiscoveryResponse{TypeUrl: p.Type.URL(), VersionInfo: p.Version, Resources: make([]*anypb.Any, 0, len(p.Resources))}
	for _, r := range p.Resources {
		resp.Resources = append(resp.Resources, r.Any)
	}
	w.pushes[resp] = p
	w.hand(p.Type, watch, resp)
	return true
}

// hand gives a watch its one response. The caller holds the lock.
func (w *wholeStream) hand(t link.Type, watch *wholeWatch, resp *discovery.DiscoveryResponse) {
	watch.responses <- &gcp.PassthroughResponse{Request: watch.request, DiscoveryResponse: resp, ReturnedResources: map[string]string{}}
	delete(w.watches, t)
}

// handAgain gives a new watch what its predecessor was handed and lost: the
// server closes a watch at the next request, be its response taken or not. It
// runs where responses are taken, so one that is still noted was not. The caller
// holds the lock.
func (w *wholeStream) handAgain(t link.Type, watch *wholeWatch) {
	for resp, p := range w.pushes {
		if p.Type == t {
			w.hand(t, watch, resp)
			return // a watch takes one response, so there is one at most
		}
	}
}

// CreateWatch is called after every request that is not stale.
func (w *wholeStream) CreateWatch(req *gcp.Request, _ gcp.Subscription, ch chan gcp.Response) (func(), error) {
	t, ok := link.TypeOf(req.GetTypeUrl())
	if !ok {
		return func() {}, nil
	}
	watch := &wholeWatch{request: req, responses: ch}
	w.mu.Lock()
	w.watches[t] = watch
	again := w.again[t]
	w.handAgain(t, watch)
	w.mu.Unlock()
	have := ""
	if req.GetResponseNonce() == "" {
		have = req.GetVersionInfo()
	}
	w.session.Names(t, req.GetResourceNames(), have, again)
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.watches[t] == watch {
			delete(w.watches, t)
		}
	}, nil
}

// CreateDeltaWatch is not used: the stream speaks the state of the world.
func (w *wholeStream) CreateDeltaWatch(*gcp.DeltaRequest, gcp.Subscription, chan gcp.DeltaResponse) (func(), error) {
	return nil, refusal("this stream speaks the state of the world")
}

// OnStreamOpen has nothing to do: the session is open.
func (w *wholeStream) OnStreamOpen(context.Context, int64, string) error { return nil }

// OnStreamClosed has nothing to do: the session is closed by its owner.
func (w *wholeStream) OnStreamClosed(int64, *core.Node) {}

// OnStreamRequest takes the answer in a request. One whose nonce was answered
// already asks again: Envoy does so for the endpoints of a changed cluster, and
// waits for them although nothing changed.
func (w *wholeStream) OnStreamRequest(_ int64, req *discovery.DiscoveryRequest) error {
	w.met(req.GetNode())
	t, ok := link.TypeOf(req.GetTypeUrl())
	nonce := req.GetResponseNonce()
	if !ok {
		return nil
	}
	awaited := w.session.Awaits(t, nonce)
	w.mu.Lock()
	w.again[t] = nonce != "" && !awaited && req.GetErrorDetail() == nil
	w.mu.Unlock()
	if nonce == "" {
		return nil
	}
	if e := req.GetErrorDetail(); e != nil {
		w.session.Refuse(t, nonce, e.GetMessage())
	} else if awaited {
		w.session.Acknowledge(t, nonce)
	}
	return nil
}

// OnStreamResponse tells the session the nonce of a push.
func (w *wholeStream) OnStreamResponse(_ context.Context, _ int64, _ *discovery.DiscoveryRequest, resp *discovery.DiscoveryResponse) {
	w.mu.Lock()
	p := w.pushes[resp]
	delete(w.pushes, resp)
	w.mu.Unlock()
	w.session.Sent(p, resp.GetNonce())
}
