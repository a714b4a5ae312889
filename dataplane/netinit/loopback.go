package netinit

import (
	"errors"
	"math"
	"net"
	"os"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// loopback6 is the address Envoy delivers IPv6 connections from. 127.0.0.6 needs
// none: all of 127.0.0.0/8 is on lo already. To the kernel ::6 is a global
// address; with no preferred life it is deprecated, so that nobody who does not
// ask for it calls out from it.
func loopback6() *netlink.Addr {
	return &netlink.Addr{
		IPNet:    &net.IPNet{IP: source6.AsSlice(), Mask: net.CIDRMask(128, 128)},
		Flags:    unix.IFA_F_NODAD,
		ValidLft: math.MaxUint32, PreferedLft: 0,
	}
}

// prepareLoopback brings lo up and gives it ::6, where the kernel has IPv6.
func prepareLoopback() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return err
	}
	if !hasIPv6() {
		return nil
	}
	return netlink.AddrReplace(lo, loopback6())
}

func restoreLoopback() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	err = netlink.AddrDel(lo, loopback6())
	if errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.EAFNOSUPPORT) || !hasIPv6() {
		return nil
	}
	return err
}

// hasIPv6 tells whether addresses of IPv6 can be given to lo. The kernel shows
// the settings of the reading thread's own namespace.
func hasIPv6() bool {
	v, err := os.ReadFile("/proc/sys/net/ipv6/conf/lo/disable_ipv6")
	return err == nil && strings.TrimSpace(string(v)) == "0"
}
