// Package cache holds the world that is served and, for each stream, what its
// client subscribed to, was sent, acknowledged and refused. It decides what to
// send next: make before break, each step gated by acknowledgements, endpoints
// past the gate. Resources are shared and never copied. It knows neither gRPC
// nor how clients are authenticated.
package cache

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/meshc/meshc/xds/link"
)

// Cache is the world and the sessions it is served to. It is safe for concurrent use.
type Cache struct {
	rollout Rollout
	world   atomic.Pointer[link.World]
	turn    atomic.Uint64 // counts worlds

	setting sync.Mutex // one world after the other

	mu         sync.Mutex
	sessions   map[*Session]struct{}
	byCluster  map[string]map[*Session]struct{} // subscribed to its endpoints
	byWorkload map[string]map[*Session]struct{}
	memory     map[string]*memory
	news       chan struct{} // closed and replaced when a session settles
}

// New makes a cache without a world: sessions cannot be opened yet.
func New(r Rollout) *Cache {
	return &Cache{
		rollout: r, sessions: map[*Session]struct{}{}, byCluster: map[string]map[*Session]struct{}{}, byWorkload: map[string]map[*Session]struct{}{},
		memory: map[string]*memory{}, news: make(chan struct{}),
	}
}

// World is the newest that is served, nil before the first Set.
func (c *Cache) World() *link.World { return c.world.Load() }

// Set serves a world to whom the rollout gives it. Sessions that it changes nothing for are not touched
// unless the world's structure changed.
func (c *Cache) Set(w *link.World) {
	c.setting.Lock()
	defer c.setting.Unlock()
	before := c.world.Load()
	changes := w.Changes()
	everything := before == nil || changes.Structure || before.Bundle() != w.Bundle()
	c.turn.Add(1)
	c.world.Store(w)
	if everything {
		c.Again()
		return
	}
	for s, names := range c.subscribers(changes.Endpoints) {
		s.endpoints(names)
	}
	for _, s := range c.ofWorkloads(changes.Workloads) {
		s.rebase()
	}
}

// Sessions are the open sessions in order of identity and workload.
func (c *Cache) Sessions() []*Session {
	c.mu.Lock()
	out := slices.Collect(maps.Keys(c.sessions))
	c.mu.Unlock()
	slices.SortFunc(out, func(a, b *Session) int { return strings.Compare(a.key(), b.key()) })
	return out
}

func (c *Cache) subscribers(clusters []string) map[*Session][]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[*Session][]string{}
	for _, name := range clusters {
		for s := range c.byCluster[name] {
			out[s] = append(out[s], name)
		}
	}
	return out
}

func (c *Cache) ofWorkloads(names []string) []*Session {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []*Session
	for _, n := range names {
		out = slices.AppendSeq(out, maps.Keys(c.byWorkload[n]))
	}
	return out
}

func (c *Cache) add(s *Session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sessions[s] = struct{}{}
	index(c.byWorkload, s.proxy.Workload, s)
}

func (c *Cache) remove(s *Session, clusters []string, m *memory) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.sessions, s)
	unindex(c.byWorkload, s.proxy.Workload, s)
	for _, name := range clusters {
		unindex(c.byCluster, name, s)
	}
	if m == nil {
		return
	}
	if len(c.memory) >= maxMemory {
		clear(c.memory) // of workloads that never came back, for the most part
	}
	c.memory[s.key()] = m
}

func (c *Cache) watch(cluster string, s *Session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	index(c.byCluster, cluster, s)
}

func (c *Cache) unwatch(cluster string, s *Session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	unindex(c.byCluster, cluster, s)
}

func index(m map[string]map[*Session]struct{}, name string, s *Session) {
	if m[name] == nil {
		m[name] = map[*Session]struct{}{}
	}
	m[name][s] = struct{}{}
}

func unindex(m map[string]map[*Session]struct{}, name string, s *Session) {
	delete(m[name], s)
	if len(m[name]) == 0 {
		delete(m, name)
	}
}

// News is closed when a session next settles, opens or closes.
func (c *Cache) News() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.news
}

func (c *Cache) announce() {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.news)
	c.news = make(chan struct{})
}

// maxMemory bounds how many closed streams are remembered.
const maxMemory = 10_000

// memory is what outlives a stream: the same proxy will be back.
type memory struct {
	refused  [link.Types]map[string]refusal
	suspects map[string]struct{} // clusters of a response that was never answered
}

func (c *Cache) recall(key string) *memory {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.memory[key]
	delete(c.memory, key)
	return m
}
