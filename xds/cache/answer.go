package cache

import (
	"fmt"
	"time"

	"github.com/meshc/meshc/xds/link"
)

// Sent gives a push the nonce under which the client will answer it.
func (s *Session) Sent(p Push, nonce string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.batch.nonce = nonce
}

// Awaits tells whether a nonce is that of an unanswered response.
func (s *Session) Awaits(t link.Type, nonce string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.kinds[t].flying {
		if b.nonce == nonce {
			return true
		}
	}
	return false
}

// Acknowledge takes a client's acceptance of the response of a nonce.
func (s *Session) Acknowledge(t link.Type, nonce string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.kinds[t]
	b := s.land(t, nonce)
	if b == nil {
		return
	}
	k.acked++
	k.lastAck = time.Now()
	s.returned = s.returned && t != link.Cluster
	for _, r := range b.resources {
		if e := k.held[r.Name]; e != nil && e.sent == r {
			e.good = r
			delete(k.suspects, r.Name)
		}
	}
	if s.opts.Observe.Acked != nil {
		s.opts.Observe.Acked(t, k.lastAck.Sub(b.at))
	}
	s.pump()
}

// Refuse takes a client's refusal of the response of a nonce. A refusal is not
// atomic: parts of the response may be in force. A resource that is refused
// alone is withheld until its version changes, and the last good one is sent
// again; of several, each is then sent alone.
func (s *Session) Refuse(t link.Type, nonce, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.land(t, nonce)
	s.note(t, reason)
	if b == nil {
		return // the answer to a response that was given up: its resources are suspects already
	}
	s.suspect(t, b, reason)
	if len(b.resources) == 1 && !b.repair {
		// A refused cluster stays among those that Envoy warms, and the next one
		// would never be acknowledged: it is taken away as well.
		s.repair(t, b, t == link.Cluster)
	}
	s.pump()
}

func (s *Session) land(t link.Type, nonce string) *batch {
	b := s.kinds[t].land(nonce)
	if timer := s.timers[b]; timer != nil {
		timer.Stop()
		delete(s.timers, b)
	}
	return b
}

// note records a refusal for status, metrics and log.
func (s *Session) note(t link.Type, reason string) {
	k := s.kinds[t]
	k.nacked++
	k.failure = refusal{reason: reason, at: time.Now()}
	s.opts.Log.Warn("the proxy refused configuration", "type", t.String(), "reason", reason)
	if s.opts.Observe.Refused != nil {
		s.opts.Observe.Refused(t, reason)
	}
}

// suspect takes back what a refused batch was believed to have given the client.
func (s *Session) suspect(t link.Type, b *batch, reason string) {
	k := s.kinds[t]
	for _, r := range b.resources {
		if e := k.held[r.Name]; e != nil && e.sent == r {
			if e.sent = e.good; e.good == nil {
				delete(k.held, r.Name)
			}
		}
		if b.repair {
			continue
		}
		if len(b.resources) == 1 {
			k.refused[r.Name] = refusal{version: r.Version, reason: reason, at: time.Now()}
			delete(k.suspects, r.Name)
			delete(k.todo, r.Name)
		} else {
			k.suspects[r.Name] = struct{}{}
		}
		s.consider(t, r.Name)
	}
}

// repair has the last good versions of what a batch held sent again. With
// removal, what has none is taken away.
func (s *Session) repair(t link.Type, b *batch, removal bool) {
	k := s.kinds[t]
	var good []*link.Resource
	var removed []string
	for _, r := range b.resources {
		if e := k.held[r.Name]; e != nil && hasBytes(e.good) {
			good = append(good, e.good)
		} else if removal && e == nil {
			removed = append(removed, r.Name)
		}
	}
	if len(good)+len(removed) > 0 {
		k.mend = &batch{resources: good, removed: removed}
	}
}

// mend sends what repair found, as soon as the stream takes it.
func (s *Session) mend(t link.Type) {
	k := s.kinds[t]
	if k.mend == nil || !s.push(t, k.mend.resources, k.mend.removed, true) {
		return
	}
	for _, r := range k.mend.resources {
		if t == link.Cluster {
			s.resend(r.Name)
		}
	}
	k.mend = nil
}

// expired counts a response of clusters that was never answered as refused.
// Envoy holds back both its answer and all later requests for clusters while one
// is stuck warming (T1); taking the new ones away again, unasked, frees it.
func (s *Session) expired(b *batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.kinds[link.Cluster]
	flying := false
	for i, f := range k.flying {
		if f == b {
			k.flying, flying = append(k.flying[:i:i], k.flying[i+1:]...), true
			break
		}
	}
	delete(s.timers, b)
	if !flying || s.closed {
		return
	}
	reason := fmt.Sprintf("clusters were not acknowledged within %s", s.opts.AckTimeout)
	s.note(link.Cluster, reason)
	s.suspect(link.Cluster, b, reason)
	if !b.repair {
		s.repair(link.Cluster, b, true)
		s.pump()
	}
}

// unasked frees a proxy that came back stuck: it asks for everything but
// clusters, because an earlier stream's response still warms.
func (s *Session) unasked() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.kinds[link.Cluster].open {
		return
	}
	if s.old != nil && len(s.old.suspects) > 0 {
		s.note(link.Cluster, "the proxy came back without asking for clusters: taking away those it never acknowledged")
		s.kinds[link.Cluster].mend = &batch{removed: sortedKeys(s.old.suspects)}
		s.pump()
		return
	}
	// Its last server is gone, and what it was sent is not known. Clusters that it
	// has are no change to it; one that is stuck is replaced if it was mended.
	s.note(link.Cluster, "the proxy came back without asking for clusters: sending them all; if it does not ask then, restart it")
	var all []*link.Resource
	for r := range s.view.All(link.Cluster) {
		all = append(all, r)
	}
	s.kinds[link.Cluster].mend = &batch{resources: all}
	s.pump()
}

// remember is what the next stream of this proxy should know; nil if nothing.
func (s *Session) remember() *memory {
	m := &memory{suspects: map[string]struct{}{}}
	any := false
	for t, k := range s.kinds {
		if len(k.refused) > 0 {
			m.refused[t], any = k.refused, true
		}
	}
	clusters := s.kinds[link.Cluster]
	for name := range clusters.suspects {
		m.suspects[name] = struct{}{}
	}
	for _, b := range clusters.flying {
		for _, r := range b.resources {
			if e := clusters.held[r.Name]; e == nil || e.good == nil {
				m.suspects[r.Name] = struct{}{}
			}
		}
	}
	if !any && len(m.suspects) == 0 {
		return nil
	}
	return m
}

func (s *Session) restore(m *memory) {
	if s.old = m; m == nil {
		return
	}
	for t, refused := range m.refused {
		if refused != nil {
			s.kinds[t].refused = refused
		}
	}
	for name := range m.suspects {
		s.kinds[link.Cluster].suspects[name] = struct{}{}
	}
}
