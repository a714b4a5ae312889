package cache

import "github.com/meshc/meshc/xds/link"

// Rollout says which proxies are served which world, and when they move on to a newer
// one. A world is a bundle linked with what runs, so whoever holds a bundle back from a
// proxy still lets endpoints through: it answers with the old bundle linked with
// newest.Snapshot().
//
// It is asked whenever a world is set, a proxy connects, and endpoints are looked at, from
// many goroutines and with sessions locked: it answers from memory and calls no session.
// When its answers become others without a new world (proxies have acknowledged, or
// refused, what the first ring was given), it calls Cache.Again from a goroutine of its own.
// What has happened it learns from Cache.News, Cache.Sessions and their Status.
type Rollout interface {
	// World is what a proxy is to be served now: newest, which was set last, or one that
	// was set before it. It is never nil.
	World(p Proxy, newest *link.World) *link.World
}

// AtOnce serves every proxy the newest world as soon as it is there.
type AtOnce struct{}

// World is the newest.
func (AtOnce) World(_ Proxy, newest *link.World) *link.World { return newest }

// Again looks at what the rollout says for every session that is open.
func (c *Cache) Again() {
	for _, s := range c.Sessions() {
		s.rebase()
	}
}

// worldOf is what a proxy is served now, nil before the first Set.
func (c *Cache) worldOf(p Proxy) *link.World {
	newest := c.World()
	if newest == nil {
		return nil
	}
	return c.rollout.World(p, newest)
}
