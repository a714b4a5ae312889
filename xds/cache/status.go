package cache

import (
	"maps"
	"slices"
	"time"

	"github.com/meshc/meshc/xds/link"
)

// Status is what is known of a session, for people and for waiting.
type Status struct {
	InSync bool     `json:"inSync"` // it has acknowledged all it is to have
	Denied string   `json:"denied,omitempty"`
	Role   string   `json:"role,omitempty"`
	Types  []Kind   `json:"types"`           // those it asked for
	Drift  []string `json:"drift,omitempty"` // of its role alone
}

// Kind is the state of one type.
type Kind struct {
	Type      string    `json:"type"`
	Resources int       `json:"resources"` // that the client has or is being sent
	Sent      uint64    `json:"sent"`      // responses
	Acked     uint64    `json:"acked"`
	Nacked    uint64    `json:"nacked"`
	Waiting   int       `json:"waiting"` // responses without an answer
	Pending   int       `json:"pending"` // resources that wait for their turn
	Refused   []Refused `json:"refused,omitempty"`
	LastError string    `json:"lastError,omitempty"`
	LastNack  time.Time `json:"lastNack,omitzero"`
	LastAck   time.Time `json:"lastAck,omitzero"`
}

// Refused is a resource that is withheld from the client.
type Refused struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Reason  string `json:"reason"`
}

// Status is the session's state now.
func (s *Session) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := Status{InSync: s.inSync(), Role: s.view.Role}
	if s.denied != nil {
		out.Denied = s.denied.Error()
	}
	for t := range link.Types {
		k := s.kinds[t]
		if !k.open && k.sent == 0 && k.nacked == 0 {
			continue
		}
		out.Types = append(out.Types, k.status(t))
	}
	for _, f := range s.view.Findings() {
		out.Drift = append(out.Drift, f.Message)
	}
	return out
}

func (k *kind) status(t link.Type) Kind {
	out := Kind{
		Type: t.String(), Resources: len(k.held), Sent: k.sent, Acked: k.acked, Nacked: k.nacked,
		Waiting: len(k.flying), Pending: len(k.todo) + len(k.gone) + len(k.absent),
		LastError: k.failure.reason, LastNack: k.failure.at, LastAck: k.lastAck,
	}
	for _, name := range sortedKeys(k.refused) {
		r := k.refused[name]
		out.Refused = append(out.Refused, Refused{Name: name, Version: r.version, Reason: r.reason})
	}
	return out
}

// Acknowledged is the version of a resource that the client last acknowledged or
// reported, and whether it is subscribed to it.
func (s *Session) Acknowledged(t link.Type, name string) (version string, asked bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.kinds[t]
	if e := k.held[name]; e != nil && e.good != nil {
		version = e.good.Version
	}
	return version, k.open && k.wants(name)
}

// inSync tells whether the client acknowledged all it is to have, including the
// routes and filters that its listeners are yet to ask for.
func (s *Session) inSync() bool {
	if s.denied != nil || s.closed || !s.kinds[link.Cluster].open || !s.kinds[link.Listener].open {
		return false
	}
	for t := range link.Types {
		if !s.kinds[t].settled() {
			return false
		}
	}
	for _, t := range []link.Type{link.Extension, link.Route} {
		for r := range s.view.All(t) {
			if s.kinds[t].has(r.Name) != r.Version {
				return false
			}
		}
	}
	return true
}

func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}
