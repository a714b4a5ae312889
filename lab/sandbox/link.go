package sandbox

import (
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// AllowIPv6 turns IPv6 on in this network namespace where a container's defaults
// have it off. Where the kernel has none, adding an address fails later.
func AllowIPv6() {
	for _, which := range []string{"all", "default"} {
		_ = os.WriteFile("/proc/sys/net/ipv6/conf/"+which+"/disable_ipv6", []byte("0"), 0)
	}
}

// LinkUp turns an interface of this network namespace on.
func LinkUp(name string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("interface %s: %w", name, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("turn interface %s on: %w", name, err)
	}
	return nil
}

// AddAddress gives an interface an address that is usable at once: an IPv6 one
// skips the second of duplicate detection, nobody else hands out addresses here.
func AddAddress(link netlink.Link, p netip.Prefix) error {
	a, err := netlink.ParseAddr(p.String())
	if err != nil {
		return err
	}
	if p.Addr().Is6() {
		a.Flags = unix.IFA_F_NODAD
	}
	return netlink.AddrReplace(link, a)
}

// Everywhere makes every address a neighbour behind an interface: the bridge is
// the only network there is, whatever the addresses on it.
func Everywhere(link netlink.Link, ipv6 bool) error {
	routes := []*netlink.Route{{LinkIndex: link.Attrs().Index, Dst: &net.IPNet{IP: net.IPv4zero, Mask: net.CIDRMask(0, 32)}, Scope: netlink.SCOPE_LINK}}
	if ipv6 {
		routes = append(routes, &netlink.Route{LinkIndex: link.Attrs().Index, Dst: &net.IPNet{IP: net.IPv6zero, Mask: net.CIDRMask(0, 128)}})
	}
	for _, r := range routes {
		if err := netlink.RouteReplace(r); err != nil {
			return fmt.Errorf("route %s: %w", r.Dst, err)
		}
	}
	return nil
}
