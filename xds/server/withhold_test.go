package server_test

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/proto"

	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/xds/link"
	"github.com/meshc/meshc/xds/server"
)

// bothWays is a bundle whose listener of a service also takes an address of its
// own: link cannot make of it what the catalog says.
func bothWays(t *testing.T, b *bundle.Bundle) *bundle.Bundle {
	t.Helper()
	plan := *b.Plan
	plan.Resources = slices.Clone(b.Plan.Resources)
	for i, r := range plan.Resources {
		if r.Type != ir.TypeListener || r.Name != "outbound/shop/a:18080" {
			continue
		}
		l := &listenerv3.Listener{}
		must(t, proto.Unmarshal(r.Body, l))
		l.AdditionalAddresses = []*listenerv3.AdditionalAddress{{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{
			SocketAddress: &corev3.SocketAddress{Address: "10.9.9.9", PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: 18080}},
		}}}}
		body, err := proto.MarshalOptions{Deterministic: true}.Marshal(l)
		must(t, err)
		plan.Resources[i].Body = body
	}
	out, err := bundle.Pack(bundle.Input{Mesh: b.Mesh, Plan: &plan})
	must(t, err)
	return out
}

// What link composed wrongly of a new bundle is not served: the proxy keeps the
// listener it has, status shows why, and the log says it once.
func TestAWronglyComposedListenerIsWithheld(t *testing.T) {
	var log bytes.Buffer
	c := newControl(t, func(o *server.Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	s := spec{services: []svc{{name: "shop/a"}, {name: "shop/b"}}, calls: map[string][]string{"shop/buyer": {"shop/a", "shop/b"}}}
	snap := snapshot([]runs{{name: "shop/a", vip: "127.0.70.1"}, {name: "shop/b", vip: "127.0.70.2"}}, "shop/buyer-0=shop/buyer")
	good := s.build(t)
	c.server.Set(good, snap)
	listeners := func() map[string]string {
		v, err := c.server.World().ForWorkload(id("shop/buyer"), "shop/buyer-0")
		must(t, err)
		out := map[string]string{}
		for r := range v.All(link.Listener) {
			out[r.Name] = r.Version
		}
		return out
	}
	was := listeners()
	for range 2 { // the second time nothing is new
		c.server.Set(bothWays(t, good), snap)
	}
	is := listeners()
	for name, version := range was {
		if is[name] != version {
			t.Errorf("%s is not what was served", name)
		}
	}
	drift := c.server.Status().Drift
	if len(drift) != 1 || drift[0].Code != "MSH4611" || !strings.Contains(drift[0].Message, "outbound/shop/a:18080") {
		t.Errorf("status shows %+v", drift)
	}
	if !strings.Contains(log.String(), "MSH4611") {
		t.Errorf("the log does not say it: %s", log.String())
	}
	c.server.Set(good, snap)
	if drift := c.server.Status().Drift; len(drift) != 0 {
		t.Errorf("with a good bundle status still shows %+v", drift)
	}
}
