package cache

import (
	"maps"
	"slices"
	"time"

	"github.com/meshc/meshc/xds/link"
)

// entry is what a client has of one resource.
type entry struct {
	sent *link.Resource // last sent or reported; without bytes if only reported
	good *link.Resource // last acknowledged
}

// hasBytes tells whether a resource can be sent again.
func hasBytes(r *link.Resource) bool { return r != nil && r.Any != nil }

// urgency says whether a change waits for the acknowledgement of other types.
type urgency uint8

const (
	gated  urgency = iota
	urgent         // a first subscription, or asked for again: never waits
	resent         // endpoints of a cluster that was sent again, in the version the client has
)

// batch is one response on its way.
type batch struct {
	resources []*link.Resource
	removed   []string
	nonce     string
	at        time.Time
	turn      uint64 // of the world it was sent in
	repair    bool   // last good resources: a refusal of these is not repaired again
}

// refusal is a resource's version that the client does not take.
type refusal struct {
	version string
	reason  string
	at      time.Time
}

// kind is the state of one type on one stream.
type kind struct {
	open     bool // the client asked for the type
	wildcard bool
	names    map[string]struct{} // named by the client
	held     map[string]*entry
	todo     map[string]urgency
	gone     map[string]struct{} // held and no longer wanted
	absent   map[string]struct{} // asked for, and do not exist
	flying   []*batch
	refused  map[string]refusal
	mend     *batch // last good resources that are to be sent after a refusal
	// suspects took part in a response that was refused: they are sent alone,
	// one after the other, so that the next refusal names its cause.
	suspects map[string]struct{}

	sent, acked, nacked uint64
	failure             refusal // the last one
	lastAck             time.Time
}

func newKind() *kind {
	return &kind{
		names: map[string]struct{}{}, held: map[string]*entry{}, todo: map[string]urgency{}, gone: map[string]struct{}{},
		absent: map[string]struct{}{}, refused: map[string]refusal{}, suspects: map[string]struct{}{},
	}
}

// forget drops all that is known of a name.
func (k *kind) forget(name string) {
	delete(k.names, name)
	delete(k.held, name)
	delete(k.todo, name)
	delete(k.gone, name)
	delete(k.absent, name)
}

// wants tells whether the client is subscribed to a name.
func (k *kind) wants(name string) bool {
	if k.wildcard {
		return true
	}
	_, ok := k.names[name]
	return ok
}

// has is the version the client has or is being sent, empty for none.
func (k *kind) has(name string) string {
	if e := k.held[name]; e != nil && e.sent != nil {
		return e.sent.Version
	}
	return ""
}

// given tells whether the client has a version of a name from this stream, not only
// by its own word.
func (k *kind) given(name string) bool {
	e := k.held[name]
	return e != nil && (hasBytes(e.sent) || hasBytes(e.good))
}

// inFlight tells whether a name is part of an unanswered response.
func (k *kind) inFlight(name string) bool {
	return slices.ContainsFunc(k.flying, func(b *batch) bool {
		return slices.ContainsFunc(b.resources, func(r *link.Resource) bool { return r.Name == name })
	})
}

// land takes the batch of a nonce out of the unanswered ones; nil if it is none.
func (k *kind) land(nonce string) *batch {
	i := slices.IndexFunc(k.flying, func(b *batch) bool { return b.nonce == nonce })
	if i < 0 {
		return nil
	}
	b := k.flying[i]
	k.flying = slices.Delete(k.flying, i, i+1)
	return b
}

// state is every resource the client has, by name.
func (k *kind) state() []*link.Resource {
	out := make([]*link.Resource, 0, len(k.held))
	for _, name := range slices.Sorted(maps.Keys(k.held)) {
		if r := k.held[name].sent; r != nil {
			out = append(out, r)
		}
	}
	return out
}

// settled tells whether the client has acknowledged all it is to have.
func (k *kind) settled() bool {
	return len(k.todo) == 0 && len(k.gone) == 0 && len(k.absent) == 0 && len(k.flying) == 0 && len(k.refused) == 0 && k.mend == nil
}
