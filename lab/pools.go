package lab

import (
	"fmt"
	"net/netip"
	"strings"
)

// The lab's own addresses: as in many a cluster, and nobody else's, since the
// network is the lab's own.
var (
	podRange4     = netip.MustParsePrefix("10.244.0.0/16")
	podRange6     = netip.MustParsePrefix("fd00:10:244::/64")
	serviceRange4 = netip.MustParsePrefix("10.96.0.0/16")
	serviceRange6 = netip.MustParsePrefix("fd00:10:96::/112")
	outerRange4   = netip.MustParsePrefix("198.51.100.0/24") // for what stands for the world outside
	outerRange6   = netip.MustParsePrefix("2001:db8:51::/64")
	bridge4       = netip.MustParsePrefix("10.244.0.1/16")
	bridge6       = netip.MustParsePrefix("fd00:10:244::1/64")
)

// pool hands out addresses of a range in order and remembers them by name.
type pool struct {
	within netip.Prefix
	last   netip.Addr
	byName map[string]netip.Addr
	taken  map[netip.Addr]bool
}

func newPool(within netip.Prefix, after netip.Addr) *pool {
	return &pool{within: within, last: after, byName: map[string]netip.Addr{}, taken: map[netip.Addr]bool{}}
}

func (p *pool) get(name string) (netip.Addr, error) {
	if a, ok := p.byName[name]; ok {
		return a, nil
	}
	for {
		p.last = p.last.Next()
		if !p.within.Contains(p.last) {
			return netip.Addr{}, fmt.Errorf("the lab has no address left in %s", p.within)
		}
		if !p.taken[p.last] {
			p.byName[name], p.taken[p.last] = p.last, true
			return p.last, nil
		}
	}
}

// pools are all of a lab's addresses.
type pools struct {
	pod4, pod6, service4, service6, outer4, outer6 *pool

	ipv6 bool
}

func newPools(ipv6 bool) *pools {
	start := func(within netip.Prefix) *pool { return newPool(within, within.Addr()) }
	return &pools{
		pod4: newPool(podRange4, bridge4.Addr()), pod6: newPool(podRange6, bridge6.Addr()),
		service4: start(serviceRange4), service6: start(serviceRange6),
		outer4: start(outerRange4), outer6: start(outerRange6), ipv6: ipv6,
	}
}

func (p *pools) pod(name string) ([]netip.Addr, error) { return p.both(p.pod4, p.pod6, name) }

func (p *pools) outer(name string) ([]netip.Addr, error) { return p.both(p.outer4, p.outer6, name) }

func (p *pools) both(four, six *pool, name string) ([]netip.Addr, error) {
	a, err := four.get(name)
	if err != nil || !p.ipv6 {
		return []netip.Addr{a}, err
	}
	b, err := six.get(name)
	return []netip.Addr{a, b}, err
}

// virtual keeps the addresses that the manifest gives a service and adds those of
// the families it does not.
func (p *pools) virtual(name string, written []netip.Addr) ([]netip.Addr, error) {
	var out []netip.Addr
	for _, family := range []struct {
		pool *pool
		is   func(netip.Addr) bool
		on   bool
	}{{p.service4, netip.Addr.Is4, true}, {p.service6, netip.Addr.Is6, p.ipv6}} {
		if !family.on {
			continue
		}
		n := len(out)
		for _, a := range written {
			if family.is(a) {
				out = append(out, a)
			}
		}
		if len(out) > n {
			continue
		}
		a, err := family.pool.get(name)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}

// reserve keeps written addresses from being handed out.
func (p *pools) reserve(written []netip.Addr) {
	for _, a := range written {
		p.service4.taken[a], p.service6.taken[a] = true, true
	}
}

// list reads "a, b and c".
func list(names []string) string {
	switch len(names) {
	case 0:
		return "nothing"
	case 1:
		return names[0]
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// nobody is an address of the services' range that is never handed out: the pool
// would be exhausted first.
func nobody() netip.Addr {
	bytes := serviceRange4.Addr().As4()
	bytes[2], bytes[3] = 255, 254
	return netip.AddrFrom4(bytes)
}
