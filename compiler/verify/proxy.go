package verify

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"

	"github.com/meshc/meshc/compiler/ir"
)

// The ports that interception redirects to.
const (
	portOutbound = 15001
	portInbound  = 15003
)

// Config is what one proxy was sent: serialised messages by name.
type Config struct {
	Listeners  map[string][]byte // Listener
	Routes     map[string][]byte // RouteConfiguration
	Clusters   map[string][]byte // Cluster
	Extensions map[string][]byte // TypedExtensionConfig
}

// Proxy is a proxy with the configuration it holds.
type Proxy struct {
	identity  ir.Identity
	listeners []*listener
	sent      catalog
}

// catalog finds what a proxy was sent by name; nil is not sent.
type catalog interface {
	route(name string) (*routes, error)
	cluster(name string) (*cluster, error)
	extension(name string) (extension, error)
}

// extension is a filter that came by ECDS; its filter is nil when it was not sent.
type extension struct {
	filter filter
	url    string
}

// NewProxy is the proxy of an identity. It refuses a listener that it does not
// understand at once, and anything else when a request comes to it; Check looks
// at everything.
func NewProxy(id ir.Identity, config Config) (*Proxy, error) {
	p := &Proxy{identity: id, sent: newNamed(config)}
	for _, name := range slices.Sorted(maps.Keys(config.Listeners)) {
		l, err := readListener(config.Listeners[name])
		if err != nil {
			return nil, inside(err, "listener %s", name)
		}
		p.listeners = append(p.listeners, l)
	}
	return p, nil
}

func (p *Proxy) routes(name string) (*routes, error) { return p.sent.route(name) }

func (p *Proxy) extension(name string) (filter, string, error) {
	e, err := p.sent.extension(name)
	return e.filter, e.url, err
}

// outbound finds the listener that takes a connection of the proxy's workload:
// the one of its destination, else the one that interception redirects to.
func (p *Proxy) outbound(to netip.AddrPort) (*listener, error) {
	virtual := p.bound(portOutbound)
	if virtual == nil {
		return nil, fmt.Errorf("the proxy of %s listens on no port %d", p.identity.Short(), portOutbound)
	}
	for _, l := range p.listeners {
		if virtual.handsOn && l != virtual && slices.Contains(l.addresses, to) {
			return l, nil
		}
	}
	return virtual, nil
}

func (p *Proxy) bound(port uint16) *listener {
	for _, l := range p.listeners {
		if slices.ContainsFunc(l.addresses, func(a netip.AddrPort) bool { return a.Port() == port && a.Addr().IsUnspecified() }) {
			return l
		}
	}
	return nil
}

// run leads a request through a chain's filters.
func (c *chain) run(p *Proxy, r *request) (*answer, error) {
	r.state = nil
	var by []string
	for _, f := range c.filters {
		a, names, err := f.handle(p, r, by)
		if err != nil {
			return nil, inside(err, "chain %s", c.name)
		}
		if a != nil {
			return a, nil
		}
		by = names
	}
	return nil, fmt.Errorf("chain %s: the last filter hands on to nobody", c.name)
}

// named is a catalog over serialised messages, each read at most once.
type named struct {
	routes     map[string]func() (*routes, error)
	clusters   map[string]func() (*cluster, error)
	extensions map[string]func() (extension, error)
}

func newNamed(c Config) *named {
	return &named{
		routes:     lazily(c.Routes, readRoutes),
		clusters:   lazily(c.Clusters, readCluster),
		extensions: lazily(c.Extensions, readExtension),
	}
}

func lazily[T any](in map[string][]byte, read func([]byte) (T, error)) map[string]func() (T, error) {
	out := make(map[string]func() (T, error), len(in))
	for name, body := range in {
		out[name] = sync.OnceValues(func() (T, error) { return read(body) })
	}
	return out
}

func lookup[T any](in map[string]func() (T, error), name string) (T, error) {
	if read, ok := in[name]; ok {
		return read()
	}
	var none T
	return none, nil
}

func (n *named) route(name string) (*routes, error)       { return lookup(n.routes, name) }
func (n *named) cluster(name string) (*cluster, error)    { return lookup(n.clusters, name) }
func (n *named) extension(name string) (extension, error) { return lookup(n.extensions, name) }

func decode(body []byte, m proto.Message) error { return proto.Unmarshal(body, m) }

func readListener(body []byte) (*listener, error) {
	var m listenerv3.Listener
	if err := decodePruned(prunedListener, body, &m); err != nil {
		return nil, err
	}
	return newListener(&m)
}

func readChain(body []byte) (*chain, error) {
	var m listenerv3.FilterChain
	if err := decodePruned(prunedChain, body, &m); err != nil {
		return nil, err
	}
	return newChain(&m)
}

func readRoutes(body []byte) (*routes, error) {
	var m routev3.RouteConfiguration
	if err := decode(body, &m); err != nil {
		return nil, err
	}
	return newRoutes(&m)
}

func readCluster(body []byte) (*cluster, error) {
	var m clusterv3.Cluster
	if err := decodePruned(prunedCluster, body, &m); err != nil {
		return nil, err
	}
	return newCluster(&m)
}

func readExtension(body []byte) (extension, error) {
	var m corev3.TypedExtensionConfig
	if err := decode(body, &m); err != nil {
		return extension{}, err
	}
	if m.TypedConfig == nil {
		return extension{}, errors.New("extension " + m.Name + " is empty")
	}
	f, err := newTypedFilter(m.TypedConfig)
	return extension{f, m.TypedConfig.TypeUrl}, inside(err, "extension %s", m.Name)
}
