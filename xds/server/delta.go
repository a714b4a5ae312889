package server

import (
	"context"
	"sync"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	gcp "github.com/envoyproxy/go-control-plane/pkg/cache/v3"

	"github.com/meshc/meshc/xds/cache"
	"github.com/meshc/meshc/xds/link"
)

// deltaStream joins a session to go-control-plane's delta server: it is the
// cache that the server watches and the callbacks it tells. All subscriptions,
// versions and nonces that matter are the session's own; the server's maps are
// never read, for it changes them under us (T7).
type deltaStream struct {
	*stream

	mu sync.Mutex
	// responses is the server's channel for all types. It is closed after the last
	// watch is cancelled: nothing may be sent while none is open.
	responses chan gcp.DeltaResponse
	watches   map[string]int
	pushes    map[*discovery.DeltaDiscoveryResponse]cache.Push
	full      bool
}

// send hands a push to the server without blocking.
func (d *deltaStream) send(p cache.Push) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.watches) == 0 {
		return false
	}
	resp := &discovery.DeltaDiscoveryResponse{
		TypeUrl: p.Type.URL(), RemovedResources: p.Removed,
		Resources: make([]*discovery.Resource, 0, len(p.Resources)),
	}
	for _, r := range p.Resources {
		resp.Resources = append(resp.Resources, &discovery.Resource{Name: r.Name, Version: r.Version, Resource: r.Any})
	}
	select {
	case d.responses <- &gcp.DeltaPassthroughResponse{
		DeltaRequest:           &discovery.DeltaDiscoveryRequest{TypeUrl: p.Type.URL()},
		NextVersionMap:         map[string]string{},
		DeltaDiscoveryResponse: resp,
	}:
		d.pushes[resp] = p
		return true
	default:
		d.full = true
		return false
	}
}

// CreateDeltaWatch is called after every request: it carries the subscriptions.
func (d *deltaStream) CreateDeltaWatch(req *gcp.DeltaRequest, _ gcp.Subscription, ch chan gcp.DeltaResponse) (func(), error) {
	url := req.GetTypeUrl()
	d.mu.Lock()
	d.responses = ch
	if d.watches == nil {
		d.watches, d.pushes = map[string]int{}, map[*discovery.DeltaDiscoveryResponse]cache.Push{}
	}
	d.watches[url]++
	d.mu.Unlock()
	if t, ok := link.TypeOf(url); ok {
		d.session.Subscribe(cache.Subscription{
			Type: t, Subscribe: req.GetResourceNamesSubscribe(), Unsubscribe: req.GetResourceNamesUnsubscribe(),
			Initial: req.GetInitialResourceVersions(),
		})
	}
	var once sync.Once
	return func() { once.Do(func() { d.unwatch(url) }) }, nil
}

func (d *deltaStream) unwatch(url string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.watches[url]--; d.watches[url] == 0 {
		delete(d.watches, url)
	}
}

// CreateWatch is not used: the stream speaks delta.
func (d *deltaStream) CreateWatch(*gcp.Request, gcp.Subscription, chan gcp.Response) (func(), error) {
	return nil, refusal("this stream speaks delta")
}

// OnDeltaStreamOpen has nothing to do: the session is open.
func (d *deltaStream) OnDeltaStreamOpen(context.Context, int64, string) error { return nil }

// OnDeltaStreamClosed has nothing to do: the session is closed by its owner.
func (d *deltaStream) OnDeltaStreamClosed(int64, *core.Node) {}

// OnStreamDeltaRequest takes the answer in a request. A request may answer,
// subscribe, or both; one that subscribes may overtake an answer (T9).
func (d *deltaStream) OnStreamDeltaRequest(_ int64, req *discovery.DeltaDiscoveryRequest) error {
	d.met(req.GetNode())
	t, ok := link.TypeOf(req.GetTypeUrl())
	if !ok || req.GetResponseNonce() == "" {
		return nil
	}
	if e := req.GetErrorDetail(); e != nil {
		d.session.Refuse(t, req.GetResponseNonce(), e.GetMessage())
	} else {
		d.session.Acknowledge(t, req.GetResponseNonce())
	}
	return nil
}

// OnStreamDeltaResponse tells the session the nonce of a push.
func (d *deltaStream) OnStreamDeltaResponse(_ int64, _ *discovery.DeltaDiscoveryRequest, resp *discovery.DeltaDiscoveryResponse) {
	d.mu.Lock()
	p := d.pushes[resp]
	delete(d.pushes, resp)
	full := d.full
	d.full = false
	d.mu.Unlock()
	d.session.Sent(p, resp.GetNonce())
	if full {
		d.session.Pump()
	}
}
