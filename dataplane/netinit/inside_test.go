package netinit_test

import (
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/vishvananda/netlink"
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
		Own:             []netinit.Ports{{From: 15020, To: 15021}},
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
	if err := w.included(options); err != nil {
		fmt.Println(err)
		return 1
	}
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
		w.want(name("a kubelet probes by way of Envoy"), w.fromPeer(at(f.pod, 15020)), "pod 15020")
		w.want(name("the application calls a peer's probe port"), w.dial(app, at(f.peer, 15021)), "refused")
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

// included is a pod that asks for a part to be intercepted, and then one whose
// only wire is excluded.
func (w *world) included(o netinit.Options) error {
	o.IncludeInbound = []netinit.Ports{{From: 8000, To: 8080}}
	o.IncludeOutbound = []netinit.Ports{{From: 7002, To: 7003}} // 7002 is excluded, too
	o.IncludeRanges = []netip.Prefix{netip.PrefixFrom(vip4, 32), netip.PrefixFrom(vip6, 128)}
	if err := netinit.Apply(o); err != nil {
		return err
	}
	for _, f := range []struct{ pod, peer, vip netip.Addr }{{pod4, peer4, vip4}, {pod6, peer6, vip6}} {
		name := func(s string) string { return s + " (" + f.pod.String() + ")" }
		w.want(name("an included range"), w.dial(app, at(f.vip, 80)), "pod 15001 for "+at(f.vip, 80).String())
		w.want(name("an included outbound port"), w.dial(app, at(f.peer, 7003)), "pod 15001 for "+at(f.peer, 7003).String())
		w.want(name("an outbound port included and excluded"), w.dial(app, at(f.peer, 7002)), "peer 7002")
		w.want(name("neither port nor range is included"), w.dial(app, at(f.peer, 80)), "peer 80")
		w.want(name("an included inbound port"), w.fromPeer(at(f.pod, 8080)), "pod 15003 for "+at(f.pod, 8080).String())
		w.want(name("an inbound port that is not included"), w.fromPeer(at(f.pod, 7004)), "pod 7004")
	}
	o.IncludeInbound, o.IncludeOutbound, o.IncludeRanges = nil, nil, nil
	o.ExcludeInterfaces = []string{"pod0"}
	if err := netinit.Apply(o); err != nil {
		return err
	}
	w.direct("by an excluded interface")
	return nil
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
