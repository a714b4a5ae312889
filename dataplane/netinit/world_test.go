package netinit_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"syscall"
	"time"
	"unsafe"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

func at(a netip.Addr, port uint16) netip.AddrPort { return netip.AddrPortFrom(a, port) }

func loLink() netlink.Link {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		panic(err)
	}
	return lo
}

// newWorld makes the peer, the wire between, and listeners that say who they are.
func newWorld(exempt string) (*world, error) {
	w := &world{exempt: exempt, peer: make(chan func())}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	own, err := netns.Get()
	if err != nil {
		return nil, err
	}
	peerNS := make(chan netns.NsHandle)
	go func() {
		runtime.LockOSThread() // for ever: the thread belongs to the peer
		ns, err := netns.New()
		if err != nil {
			fmt.Println("peer namespace:", err)
		}
		peerNS <- ns
		for f := range w.peer {
			f()
		}
	}()
	far := <-peerNS
	veth := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "pod0", Namespace: netlink.NsFd(int(own))}, PeerName: "peer0", PeerNamespace: netlink.NsFd(int(far))}
	if err := netlink.LinkAdd(veth); err != nil {
		return nil, fmt.Errorf("veth: %w", err)
	}
	if err := address("pod0", peer4, peer6, pod4, pod6); err != nil {
		return nil, err
	}
	if err := w.inPeer(func() error {
		if err := address("peer0", pod4, pod6, peer4, peer6); err != nil {
			return err
		}
		if err := netlink.AddrAdd(loLink(), &netlink.Addr{IPNet: ipNet(out4, 32)}); err != nil {
			return err
		}
		return listen("peer", 80, 15001, 15003, 15010, 15020, 15021, 7002, 7003, 7009, 7010, 7011, 7012, 7013)
	}); err != nil {
		return nil, err
	}
	return w, listen("pod", 8080, 7001, 7004, 15020, 15001, 15003, 15010)
}

func (w *world) inPeer(f func() error) error {
	done := make(chan error)
	w.peer <- func() { done <- f() }
	return <-done
}

func ipNet(a netip.Addr, bits int) *net.IPNet {
	return &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(bits, a.BitLen())}
}

// address gives a link its addresses, and both families a default route.
func address(link string, gateway4, gateway6 netip.Addr, own ...netip.Addr) error {
	l, err := netlink.LinkByName(link)
	if err != nil {
		return err
	}
	for _, a := range own {
		bits := 24
		if a.Is6() {
			bits = 64
		}
		if err := netlink.AddrAdd(l, &netlink.Addr{IPNet: ipNet(a, bits), Flags: unix.IFA_F_NODAD}); err != nil {
			return fmt.Errorf("%s %s: %w", link, a, err)
		}
	}
	for _, up := range []netlink.Link{l, loLink()} {
		if err := netlink.LinkSetUp(up); err != nil {
			return err
		}
	}
	for _, gw := range []netip.Addr{gateway4, gateway6} {
		if err := netlink.RouteAdd(&netlink.Route{LinkIndex: l.Attrs().Index, Gw: gw.AsSlice()}); err != nil {
			return fmt.Errorf("route by %s: %w", gw, err)
		}
	}
	return nil
}

// listen answers each connection with who took it, whom it was for, and who called.
func listen(who string, ports ...int) error {
	for _, port := range ports {
		ln, err := net.Listen("tcp", fmt.Sprintf("[::]:%d", port))
		if err != nil {
			return err
		}
		go func() {
			for {
				c, err := ln.Accept()
				if err != nil {
					return
				}
				fmt.Fprint(c, answer(who, port, c.(*net.TCPConn)))
				c.Close()
			}
		}()
	}
	return nil
}

func answer(who string, port int, c *net.TCPConn) string {
	s := fmt.Sprintf("%s %d", who, port)
	local := plain(c.LocalAddr())
	if orig, ok := original(c, local.Addr().Is4()); ok && orig != local {
		s += " for " + orig.String()
	}
	return s + " from " + plain(c.RemoteAddr()).Addr().String()
}

func plain(a net.Addr) netip.AddrPort {
	ap := a.(*net.TCPAddr).AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
}

// original asks the kernel where the caller meant to go, as Envoy does.
func original(c *net.TCPConn, v4 bool) (orig netip.AddrPort, ok bool) {
	raw, err := c.SyscallConn()
	if err != nil {
		return orig, false
	}
	const soOriginalDst = 80
	var buf [28]byte
	size := uint32(len(buf))
	level := unix.IPPROTO_IPV6
	if v4 {
		level = unix.IPPROTO_IP
	}
	var errno syscall.Errno
	err = raw.Control(func(fd uintptr) {
		_, _, errno = unix.Syscall6(unix.SYS_GETSOCKOPT, fd, uintptr(level), soOriginalDst, uintptr(unsafe.Pointer(&buf)), uintptr(unsafe.Pointer(&size)), 0)
	})
	if err != nil || errno != 0 {
		return orig, false
	}
	port := uint16(buf[2])<<8 | uint16(buf[3])
	if v4 {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(buf[4:8])), port), true
	}
	return netip.AddrPortFrom(netip.AddrFrom16([16]byte(buf[8:24])), port), true
}

// caller is who dials: the application, or Envoy, who is exempt.
type caller struct {
	exempt bool
	source netip.Addr
}

var app, envoy = caller{}, caller{exempt: true}

func (c caller) from(a netip.Addr) caller { c.source = a; return c }

// dial is the answer of whoever took the connection, "refused" or the error.
func (w *world) dial(c caller, to netip.AddrPort) string {
	d := net.Dialer{Timeout: 5 * time.Second}
	if c.source.IsValid() {
		d.LocalAddr = &net.TCPAddr{IP: c.source.AsSlice()}
	}
	if !c.exempt {
		return ask(d, to)
	}
	if w.exempt == "mark" {
		d.Control = func(_, _ string, raw syscall.RawConn) error {
			var err error
			return errors.Join(raw.Control(func(fd uintptr) {
				err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK, 1500)
			}), err)
		}
		return ask(d, to)
	}
	// A socket belongs to the user of the thread that makes it.
	answer := make(chan string)
	go func() {
		runtime.LockOSThread() // for ever: the thread ends with its user changed
		if _, err := unix.SetfsuidRetUid(1500); err != nil {
			answer <- err.Error()
			return
		}
		answer <- ask(d, to)
	}()
	return <-answer
}

func (w *world) fromPeer(to netip.AddrPort) (got string) {
	if err := w.inPeer(func() error { got = ask(net.Dialer{Timeout: 5 * time.Second}, to); return nil }); err != nil {
		return err.Error()
	}
	return got
}

func ask(d net.Dialer, to netip.AddrPort) string {
	c, err := d.Dial("tcp", to.String())
	if errors.Is(err, syscall.ECONNREFUSED) {
		return "refused"
	}
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err.Error()
	}
	var buf [256]byte
	n, err := c.Read(buf[:])
	if err != nil {
		return err.Error()
	}
	return string(buf[:n])
}
