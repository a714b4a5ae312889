package cache

import (
	"log/slog"
	"sync"
	"time"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/xds/link"
)

// Proxy says whose stream it is, as its authenticated transport says.
type Proxy struct {
	Identity ir.Identity
	Workload string // NAMESPACE/NAME; empty if the credential names none
}

// Push is one response to send. Version is set for whole states only.
type Push struct {
	Type      link.Type
	Resources []*link.Resource
	Removed   []string
	Version   string
	batch     *batch
}

// Options of a session.
type Options struct {
	// Send takes a push without blocking; false means not now: what is in it is
	// offered again after the next request. It is called with the session locked.
	Send func(Push) bool
	// Whole: clusters and listeners go out as the whole state (state of the
	// world), not as differences (delta).
	Whole bool
	// Leaf gives the proxy's certificate. reported is the version of the one it
	// says it has, empty for none; a resource without bytes means: keep that one.
	// nil means that there is none now; Provide brings it later.
	Leaf func(reported string) *link.Resource
	// AckTimeout is how long clusters may go unanswered before that counts as a
	// refusal. It is shorter than Envoy's own 15 s. 10 s if zero.
	AckTimeout time.Duration
	Observe    Observer
	Log        *slog.Logger
}

// Observer is told what happens on a session, with the session locked. A nil
// function is not called.
type Observer struct {
	Pushed  func(t link.Type, resources, removed int)
	Acked   func(t link.Type, after time.Duration)
	Refused func(t link.Type, reason string)
}

// Session is the state of one stream. Its methods may be called from any goroutine.
type Session struct {
	cache *Cache
	proxy Proxy
	opts  Options

	mu      sync.Mutex
	closed  bool
	view    link.View
	ipv4    bool   // the client cannot take IPv6 addresses
	denied  error  // why the view is not what the proxy should have
	turn    uint64 // of the world that the view is of
	kinds   [link.Types]*kind
	secrets map[string]*link.Resource
	timers  map[*batch]*time.Timer
	// returned: the client was connected before and has versions of something else
	// than clusters; lonely then waits for its first request for clusters.
	returned bool
	lonely   *time.Timer
	old      *memory
	settled  bool
}

// Open registers a session. An error is a *link.Refusal that the client may be told.
func (c *Cache) Open(p Proxy, opts Options) (*Session, error) {
	w := c.worldOf(p)
	if w == nil {
		return nil, &link.Refusal{Reason: "the control plane has not loaded its world yet"}
	}
	if _, err := w.ForWorkload(p.Identity, p.Workload); err != nil {
		return nil, err
	}
	if opts.AckTimeout == 0 {
		opts.AckTimeout = 10 * time.Second
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	s := &Session{cache: c, proxy: p, opts: opts, secrets: map[string]*link.Resource{}, timers: map[*batch]*time.Timer{}}
	for t := range s.kinds {
		s.kinds[t] = newKind()
	}
	s.restore(c.recall(s.key()))
	c.add(s)
	s.rebase() // after add: a world set meanwhile finds the session, or this finds the world
	c.announce()
	return s, nil
}

// Close ends a session. Nothing is sent after it returns.
func (s *Session) Close() {
	s.mu.Lock()
	s.closed = true
	for _, t := range s.timers {
		t.Stop()
	}
	if s.lonely != nil {
		s.lonely.Stop()
	}
	clusters := make([]string, 0, len(s.kinds[link.Endpoint].names))
	for name := range s.kinds[link.Endpoint].names {
		clusters = append(clusters, name)
	}
	m := s.remember()
	s.mu.Unlock()
	s.cache.remove(s, clusters, m)
	s.cache.announce()
}

// Proxy says whose session it is.
func (s *Session) Proxy() Proxy { return s.proxy }

func (s *Session) key() string { return string(s.proxy.Identity) + " " + s.proxy.Workload }

// Provide serves a secret, new or changed.
func (s *Session) Provide(secrets ...*link.Resource) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range secrets {
		s.secrets[r.Name] = r
		s.consider(link.Secret, r.Name)
	}
	s.pump()
}

// IPv4Only serves the session without IPv6 addresses from now on. It is called
// before the client's first request is taken.
func (s *Session) IPv4Only() {
	s.mu.Lock()
	s.ipv4 = true
	s.mu.Unlock()
	s.rebase()
}

// Pump sends what could not be sent before.
func (s *Session) Pump() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pump()
}

// rebase takes the view of the world that is the proxy's now and finds what differs from what
// the client has.
func (s *Session) rebase() {
	s.mu.Lock()
	defer s.mu.Unlock()
	turn := s.cache.turn.Load()
	w := s.cache.worldOf(s.proxy)
	view, err := w.ForWorkload(s.proxy.Identity, s.proxy.Workload)
	if err != nil {
		// Closing the stream would leave the old policy in force for ever.
		s.opts.Log.Warn("the proxy is not to have configuration any more: closing what it has", "reason", err)
	}
	if s.ipv4 {
		view = view.IPv4()
	}
	before := s.view
	s.view, s.denied, s.turn = view, err, turn
	for t := range link.Types {
		if t == link.Endpoint || !view.Same(before, t) {
			s.reconsider(t)
		}
	}
	s.pump()
}

// endpoints looks at the endpoints of clusters again.
func (s *Session) endpoints(clusters []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range clusters {
		s.consider(link.Endpoint, name)
	}
	s.pump()
}

// target is what the client should have of a name, nil for nothing.
func (s *Session) target(t link.Type, name string) *link.Resource {
	switch t {
	case link.Endpoint:
		// A cluster that is to go keeps its endpoints while the client has it of us. That a
		// client says it has one proves nothing: it would hear of whom it may not call.
		if s.view.Get(link.Cluster, name) != nil || s.kinds[link.Cluster].given(name) {
			r := s.cache.worldOf(s.proxy).EndpointsNear(name, s.view.Locality)
			if s.ipv4 {
				r = link.EndpointsIPv4(r)
			}
			return r
		}
		return nil
	case link.Secret:
		return s.secrets[name]
	}
	return s.view.Get(t, name)
}

// reconsider compares all that a client has of a type, or wants, with what it should have.
func (s *Session) reconsider(t link.Type) {
	k := s.kinds[t]
	if !k.open {
		return
	}
	if k.wildcard {
		for r := range s.view.All(t) {
			s.consider(t, r.Name)
		}
		for name := range k.held {
			s.consider(t, name)
		}
	}
	for name := range k.names {
		s.consider(t, name)
	}
}

// consider notes what is to be done about one name.
func (s *Session) consider(t link.Type, name string) {
	k := s.kinds[t]
	if !k.open || !k.wants(name) {
		return
	}
	want, has := s.target(t, name), k.has(name)
	switch {
	case want == nil && has == "":
		delete(k.todo, name)
	case want == nil && t == link.Endpoint:
		// Never remove the endpoints of a live cluster (T3): they go with it.
		delete(k.todo, name)
	case want == nil:
		delete(k.todo, name)
		k.gone[name] = struct{}{}
	case has == want.Version:
		delete(k.gone, name)
		if k.todo[name] != urgent {
			delete(k.todo, name)
		}
		if r, ok := k.refused[name]; ok && r.version != want.Version {
			delete(k.refused, name)
		}
	case k.refused[name].version == want.Version:
		delete(k.gone, name)
		delete(k.todo, name)
	default:
		delete(k.gone, name)
		delete(k.refused, name)
		if _, ok := k.todo[name]; !ok {
			k.todo[name] = gated
		}
	}
}
