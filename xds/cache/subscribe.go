package cache

import (
	"maps"
	"slices"
	"time"

	"github.com/meshc/meshc/xds/link"
)

// Subscription is what a request asks for.
type Subscription struct {
	Type        link.Type
	Subscribe   []string // "*" for everything
	Unsubscribe []string
	// Initial are the versions that a client which was connected before still has.
	Initial map[string]string
}

// wildcards are the types a client may ask for without names. Of the others it
// gets only what it names.
var wildcards = [link.Types]bool{link.Cluster: true, link.Listener: true}

// Subscribe takes a delta request's subscriptions and sends what they ask for.
func (s *Session) Subscribe(q Subscription) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.kinds[q.Type]
	first := s.open(q.Type)
	if first {
		k.wildcard = wildcards[q.Type] && len(q.Subscribe) == 0
		s.report(q.Type, q.Initial)
	}
	for _, name := range q.Subscribe {
		s.ask(q.Type, name, first)
	}
	for _, name := range q.Unsubscribe {
		s.drop(q.Type, name)
	}
	if first && k.wildcard {
		s.start(q.Type)
	}
	s.pump()
}

// open marks a type as asked for; it tells whether that is new.
func (s *Session) open(t link.Type) bool {
	k := s.kinds[t]
	first := !k.open
	k.open = true
	if t == link.Cluster && s.lonely != nil {
		s.lonely.Stop()
	}
	return first
}

// report notes the versions a client says it has. If they are those it should
// have, nothing needs to be sent; of others only the version is known.
func (s *Session) report(t link.Type, initial map[string]string) {
	k := s.kinds[t]
	if t != link.Cluster && len(initial) > 0 && !s.kinds[link.Cluster].open && !s.returned {
		s.returned, s.lonely = true, time.AfterFunc(s.opts.AckTimeout, s.unasked)
	}
	for name, version := range initial {
		r := s.target(t, name)
		if t == link.Secret && name == Identity {
			r = s.reported(version)
		}
		if r == nil || r.Version != version {
			r = &link.Resource{Type: t, Name: name, Version: version}
		}
		k.held[name] = &entry{sent: r, good: r}
	}
}

// start sends a first wildcard subscriber everything it lacks. A client that
// comes back with versions works already: what changed meanwhile is gated.
func (s *Session) start(t link.Type) {
	k := s.kinds[t]
	fresh := len(k.held) == 0
	s.reconsider(t)
	if fresh {
		for name := range k.todo {
			k.todo[name] = urgent
		}
	}
}

// ask subscribes to a name. A name that is asked for again is sent again: the
// client may have lost it.
func (s *Session) ask(t link.Type, name string, first bool) {
	k := s.kinds[t]
	if name == "*" {
		if wildcards[t] && !k.wildcard {
			k.wildcard = true
			s.start(t)
		}
		return
	}
	k.names[name] = struct{}{}
	if t == link.Endpoint {
		s.cache.watch(name, s)
	}
	kept := first && k.has(name) != ""
	if t == link.Secret && name == Identity && (!kept || s.secrets[name] == nil) {
		s.certify()
	}
	if kept {
		s.consider(t, name)
		if t == link.Endpoint && s.kinds[link.Cluster].inFlight(name) {
			s.resend(name) // the cluster went out before the endpoints were asked for
		}
		return
	}
	delete(k.gone, name)
	switch want := s.target(t, name); {
	case want == nil && t == link.Secret && name == Identity:
		k.todo[name] = urgent // it comes as soon as there is one
	case want == nil:
		k.absent[name] = struct{}{}
	default:
		k.todo[name] = urgent
	}
}

func (s *Session) drop(t link.Type, name string) {
	k := s.kinds[t]
	if name == "*" {
		k.wildcard = false
		for held := range k.held {
			if _, named := k.names[held]; !named {
				k.forget(held)
			}
		}
		return
	}
	if t == link.Endpoint {
		s.cache.unwatch(name, s)
	}
	k.forget(name)
	if k.wildcard && s.target(t, name) != nil {
		k.todo[name] = urgent // the wildcard still covers it: the protocol wants it sent again
	}
}

// Names replaces the names a state-of-the-world client asks for. have is the
// version of the state that a client which was connected before says it has;
// again tells that the request is no answer to a response: everything it names
// is sent, changed or not, for the client waits for it.
func (s *Session) Names(t link.Type, names []string, have string, again bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.kinds[t]
	first := s.open(t)
	if first {
		k.wildcard = wildcards[t] && len(names) == 0
		s.reportState(t, names, have)
	}
	wanted := map[string]struct{}{}
	for _, name := range names {
		wanted[name] = struct{}{}
	}
	for _, name := range slices.Sorted(maps.Keys(k.names)) {
		if _, ok := wanted[name]; !ok {
			s.drop(t, name)
		}
	}
	for _, name := range names {
		_, had := k.names[name]
		if !had || again && !first {
			s.ask(t, name, first)
		}
	}
	if first && k.wildcard {
		s.start(t)
		if len(k.todo) == 0 && len(k.held) == 0 {
			k.absent["*"] = struct{}{} // an empty state is an answer too
		}
	}
	s.pump()
}

// reportState is report for clients that know one version for all they have.
func (s *Session) reportState(t link.Type, names []string, have string) {
	if have == "" {
		return
	}
	if t == link.Secret {
		s.report(t, parseState(have))
		return
	}
	k := s.kinds[t]
	all := map[string]*entry{}
	add := func(r *link.Resource) {
		if r != nil {
			all[r.Name] = &entry{sent: r, good: r}
		}
	}
	for _, name := range names {
		add(s.target(t, name))
	}
	if k.wildcard {
		for r := range s.view.All(t) {
			add(r)
		}
	}
	if stateVersion(t, all) == have {
		k.held = all
	}
}
