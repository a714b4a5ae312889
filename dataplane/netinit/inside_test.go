package netinit_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/meshc/meshc/dataplane/netinit"
)

// The pod is this process's namespace, the peer another one across a veth pair.
var (
	pod4, pod6   = netip.MustParseAddr("10.55.0.1"), netip.MustParseAddr("fd55::1")
	peer4, peer6 = netip.MustParseAddr("10.55.0.2"), netip.MustParseAddr("fd55::2")
	vip4, vip6   = netip.MustParseAddr("240.0.0.1"), netip.MustParseAddr("fd55:f::1")
	out4         = netip.MustParseAddr("10.77.0.1") // an excluded range leads here
)

// world is the two namespaces with their listeners.
type world struct {
	exempt string
	peer   chan func() // run in the peer's namespace
	failed int
}

func runInside(exempt string) int {
	w, err := newWorld(exempt)
	if err != nil {
		fmt.Println("cannot build the namespaces:", err)
		return 1
	}
	options := netinit.Options{
		Exempt:          netinit.Mark(1500),
		ExcludeInbound:  []netinit.Ports{{From: 7001}},
		ExcludeOutbound: []netinit.Ports{{From: 7002}, {From: 7010, To: 7012}},
		ExcludeRanges:   []netip.Prefix{netip.MustParsePrefix("10.77.0.0/16"), netip.MustParsePrefix("fd55:e::/32")},
	}
	if exempt == "uid" {
		options.Exempt = netinit.UID(1500)
	}
	w.direct("before")
	for range 2 { // the second time replaces the first
		if err := netinit.Apply(options); err != nil {
			fmt.Println(err)
			return 1
		}
	}
	w.intercepted()
	for range 2 {
		if err := netinit.Remove(); err != nil {
			fmt.Println(err)
			return 1
		}
	}
	w.direct("after Remove")
	if addrs, err := netlink.AddrList(loLink(), unix.AF_INET6); err != nil || strings.Contains(fmt.Sprint(addrs), "::6/") {
		w.fail("Remove", fmt.Sprint(addrs, err), "no ::6 on lo")
	}
	if exempt == "mark" {
		if err := w.marked(os.Getenv(insideEnvoy), os.Getenv(insideDir)); err != nil {
			w.fail("Envoy with a mark", err.Error(), "a running Envoy")
		}
	}
	return w.failed
}

// direct is a namespace without rules.
func (w *world) direct(when string) {
	w.want(when+": call to the peer", w.dial(app, at(peer4, 80)), "peer 80")
	w.want(when+": call to the peer, IPv6", w.dial(app, at(peer6, 80)), "peer 80")
	w.want(when+": call from the peer", w.fromPeer(at(pod4, 8080)), "pod 8080")
}

// intercepted is every rule, in the words of what a workload would see.
func (w *world) intercepted() {
	for _, f := range []struct{ pod, peer, vip, loopback, delivery netip.Addr }{
		{pod4, peer4, vip4, netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.6")},
		{pod6, peer6, vip6, netip.MustParseAddr("::1"), netip.MustParseAddr("::6")},
	} {
		name := func(s string) string { return s + " (" + f.pod.String() + ")" }
		w.want(name("the application calls out"), w.dial(app, at(f.peer, 80)), "pod 15001 for "+at(f.peer, 80).String())
		w.want(name("the application calls a virtual IP"), w.dial(app, at(f.vip, 80)), "pod 15001 for "+at(f.vip, 80).String())
		w.want(name("Envoy calls out"), w.dial(envoy, at(f.peer, 80)), "peer 80")
		w.want(name("the application calls itself on loopback"), w.dial(app, at(f.loopback, 8080)), "pod 8080")
		w.want(name("the application calls its own address"), w.dial(app, at(f.pod, 8080)), "pod 8080")
		w.want(name("Envoy calls its own workload"), w.dial(envoy, at(f.pod, 8080)), "pod 15003 for "+at(f.pod, 8080).String())
		w.want(name("Envoy on loopback"), w.dial(envoy, at(f.loopback, 8080)), "pod 8080")
		w.want(name("Envoy delivers to the application"), w.dial(envoy.from(f.delivery), at(f.pod, 8080)), "pod 8080 from "+f.delivery.String())
		// The inbound cluster has a bind configuration of its own and no mark.
		w.want(name("delivery needs no exemption"), w.dial(app.from(f.delivery), at(f.pod, 8080)), "pod 8080 from "+f.delivery.String())
		w.want(name("a peer calls"), w.fromPeer(at(f.pod, 8080)), "pod 15003 for "+at(f.pod, 8080).String())
		w.want(name("a peer calls the inbound port"), w.fromPeer(at(f.pod, 15003)), "pod 15003")
		w.want(name("Prometheus scrapes"), w.fromPeer(at(f.pod, 15010)), "pod 15010")
		w.want(name("a peer calls the outbound port"), w.fromPeer(at(f.pod, 15001)), "pod 15003 for "+at(f.pod, 15001).String())
		w.want(name("the application calls a peer's 15001"), w.dial(app, at(f.peer, 15001)), "refused")
		w.want(name("the application calls a peer's 15003"), w.dial(app, at(f.peer, 15003)), "refused")
		w.want(name("a meshed Prometheus scrapes a peer"), w.dial(app, at(f.peer, 15010)), "peer 15010")
		w.want(name("Envoy calls a peer's 15003"), w.dial(envoy, at(f.peer, 15003)), "peer 15003")
		w.want(name("an excluded inbound port"), w.fromPeer(at(f.pod, 7001)), "pod 7001")
		for _, port := range []uint16{7002, 7010, 7011, 7012} {
			w.want(name(fmt.Sprint("excluded outbound port ", port)), w.dial(app, at(f.peer, port)), fmt.Sprint("peer ", port))
		}
		for _, port := range []uint16{7003, 7009, 7013} {
			w.want(name(fmt.Sprint("port beside the excluded ones ", port)), w.dial(app, at(f.peer, port)), "pod 15001 for "+at(f.peer, port).String())
		}
	}
	w.want("an excluded range", w.dial(app, at(out4, 80)), "peer 80")
}

func (w *world) want(what, got, want string) {
	// An answer says more than most cases ask for.
	if got != want && !strings.HasPrefix(got, want+" ") {
		w.fail(what, got, want)
	}
}

func (w *world) fail(what, got, want string) {
	fmt.Printf("%s: got %q, want %q\n", what, got, want)
	w.failed = 1
}

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
		return listen("peer", 80, 15001, 15003, 15010, 7002, 7003, 7009, 7010, 7011, 7012, 7013)
	}); err != nil {
		return nil, err
	}
	return w, listen("pod", 8080, 7001, 15001, 15003, 15010)
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
