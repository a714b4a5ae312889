package netinit

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

// verifyFor bounds a call that nobody answers: interception answers at once.
const verifyFor = 3 * time.Second

// nowhere are addresses that are nobody's, for documentation: what is sent there is
// answered by interception or by nobody.
var nowhere = []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}

// Verify tells whether the calls of this namespace are intercepted as o says, by
// making one in each family that has a route. It changes nothing and needs no
// privilege, and no Envoy may listen yet. An error says why not.
func Verify(ctx context.Context, o Options) error {
	ctx, cancel := context.WithTimeout(ctx, verifyFor)
	defer cancel()
	routed := false
	for _, to := range nowhere {
		err := o.verify(ctx, to)
		switch {
		case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.EAFNOSUPPORT):
			continue // nobody can call out in this family
		case err != nil:
			return fmt.Errorf("netinit: calls to %s are not intercepted: %w", to, err)
		}
		routed = true
	}
	if !routed {
		return errors.New("netinit: there is a route in neither family, so nothing shows whether calls are intercepted")
	}
	return nil
}

// verify makes a call that must arrive here instead of where it is addressed.
func (o Options) verify(ctx context.Context, family netip.Addr) error {
	to, ok := o.intercepted(family)
	if !ok { // nothing is; what must be refused in any case still shows that the rules stand
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", netip.AddrPortFrom(family, InboundPort).String())
		if err == nil {
			conn.Close()
			return errors.New("somebody answered")
		}
		if errors.Is(err, syscall.ECONNREFUSED) {
			return nil
		}
		return err
	}
	network := "tcp6"
	if family.Is4() {
		network = "tcp4"
	}
	envoy, err := (&net.ListenConfig{}).Listen(ctx, network, fmt.Sprintf(":%d", OutboundPort))
	if err != nil {
		return err
	}
	defer envoy.Close()
	arrived := make(chan netip.AddrPort, 1)
	go func() {
		for {
			conn, err := envoy.Accept()
			if err != nil {
				close(arrived)
				return
			}
			from := conn.RemoteAddr().(*net.TCPAddr).AddrPort()
			conn.Close()
			select {
			case arrived <- netip.AddrPortFrom(from.Addr().Unmap(), from.Port()):
			case <-ctx.Done():
			}
		}
	}()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", to.String())
	if err != nil {
		return err
	}
	defer conn.Close()
	own := conn.LocalAddr().(*net.TCPAddr).AddrPort()
	for {
		select {
		case from := <-arrived:
			if from == own {
				return nil
			}
		case <-ctx.Done():
			return fmt.Errorf("a call to %s was answered by somebody else", to)
		}
	}
}

// intercepted is a destination of this family whose calls are intercepted; false
// where there seems to be none.
func (o Options) intercepted(family netip.Addr) (netip.AddrPort, bool) {
	addresses, numbers := []netip.Addr{family}, []uint16{1, 81, 4242, 55555}
	for _, r := range o.IncludeRanges {
		if r.Addr().Is4() == family.Is4() {
			addresses = append(addresses, r.Addr().Next(), r.Addr())
		}
	}
	for _, p := range o.IncludeOutbound {
		numbers = append(numbers, p.From)
	}
	for _, a := range addresses {
		for _, n := range numbers {
			if o.intercepts(a, n) {
				return netip.AddrPortFrom(a, n), true
			}
		}
	}
	return netip.AddrPort{}, false
}

// intercepts tells what the rules do with a call; rules.go has them.
func (o Options) intercepts(a netip.Addr, port uint16) bool {
	holds := func(list []Ports) bool {
		return slices.ContainsFunc(list, func(p Ports) bool { return p.From <= port && port <= p.last() })
	}
	in := func(list []netip.Prefix) bool {
		return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	switch {
	case a.IsLoopback() || a.IsUnspecified() || port == OutboundPort || port == InboundPort || port == MetricsPort:
		return false
	case holds(o.Own) || holds(o.ExcludeOutbound) || in(o.ExcludeRanges):
		return false
	case len(o.IncludeOutbound)+len(o.IncludeRanges) == 0:
		return true
	}
	return holds(o.IncludeOutbound) || in(o.IncludeRanges)
}
