package netinit_test

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/meshc/meshc/dataplane/bootstrap"
	"github.com/meshc/meshc/dataplane/netinit"
)

// withOptions is the source of the case whose cluster sets a socket option.
var withOptions = netip.MustParseAddr("0.0.0.0")

// marked is what a real Envoy's connections meet whose bootstrap sets a mark: it
// holds for every cluster of both families, but for one that sets socket
// options of its own.
func (w *world) marked(envoyPath, dir string) error {
	if err := netinit.Apply(netinit.Options{Exempt: netinit.Mark(1500)}); err != nil {
		return err
	}
	b := bootstrap.Base(bootstrap.Options{Identity: "spiffe://cluster.local/ns/a/sa/b", Mark: 1500})
	cases := []struct {
		what   string
		to     netip.AddrPort
		source netip.Addr
		want   string
	}{
		{"a cluster", at(peer4, 80), netip.Addr{}, "peer 80"},
		{"a cluster, IPv6", at(peer6, 80), netip.Addr{}, "peer 80"},
		{"a call to itself", at(pod4, 8080), netip.Addr{}, "pod 15003 for " + at(pod4, 8080).String()},
		{"a call to itself, IPv6", at(pod6, 8080), netip.Addr{}, "pod 15003 for " + at(pod6, 8080).String()},
		{"delivery", at(pod4, 8080), netip.MustParseAddr("127.0.0.6"), "pod 8080 from 127.0.0.6"},
		{"delivery, IPv6", at(pod6, 8080), netip.MustParseAddr("::6"), "pod 8080 from ::6"},
		{"a bind configuration of its own", at(peer4, 80), pod4, "peer 80"},
		{"socket options of its own lose the mark", at(peer4, 80), withOptions, "pod 15001 for " + at(peer4, 80).String()},
	}
	for i, c := range cases {
		name := fmt.Sprint("case-", i)
		b.StaticResources.Listeners = append(b.StaticResources.Listeners, listenerTo(name, uint32(9000+i)))
		b.StaticResources.Clusters = append(b.StaticResources.Clusters, clusterTo(name, c.to, c.source))
	}
	stop, err := startEnvoy(envoyPath, dir, b)
	if err != nil {
		return err
	}
	defer stop()
	for i, c := range cases {
		to := at(netip.MustParseAddr("127.0.0.1"), uint16(9000+i))
		got := w.dial(app, to)
		for deadline := time.Now().Add(time.Minute); got == "refused" && time.Now().Before(deadline); got = w.dial(app, to) {
			time.Sleep(20 * time.Millisecond) // Envoy opens its ports in its own time
		}
		w.want("Envoy with a mark: "+c.what, got, c.want)
	}
	return nil
}

// startEnvoy runs Envoy in the pod's namespace.
func startEnvoy(path, dir string, b *bootstrapv3.Bootstrap) (stop func(), err error) {
	config, err := bootstrap.Print(b)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "bootstrap.json")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		return nil, err
	}
	cmd := exec.Command(path, "--disable-hot-restart", "--concurrency", "1", "--log-level", "error", "--config-path", file)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	}, nil
}

func socket(a netip.AddrPort) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: a.Addr().String(), PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(a.Port())},
	}}}
}

func listenerTo(cluster string, port uint32) *listenerv3.Listener {
	proxy, err := anypb.New(&tcpv3.TcpProxy{StatPrefix: cluster, ClusterSpecifier: &tcpv3.TcpProxy_Cluster{Cluster: cluster}})
	if err != nil {
		panic(err)
	}
	return &listenerv3.Listener{
		Name: cluster, Address: socket(at(netip.MustParseAddr("127.0.0.1"), uint16(port))),
		FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{{
			Name: "tcp", ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: proxy},
		}}}},
	}
}

func clusterTo(name string, to netip.AddrPort, source netip.Addr) *clusterv3.Cluster {
	c := &clusterv3.Cluster{
		Name: name, ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
		LoadAssignment: &endpointv3.ClusterLoadAssignment{ClusterName: name, Endpoints: []*endpointv3.LocalityLbEndpoints{{
			LbEndpoints: []*endpointv3.LbEndpoint{{HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: socket(to)}}}},
		}}},
	}
	if source.IsValid() {
		c.UpstreamBindConfig = &corev3.BindConfig{SourceAddress: socket(at(source, 0)).GetSocketAddress()}
	}
	if source == withOptions {
		const solSocket, soKeepalive = 1, 9
		c.UpstreamBindConfig.SocketOptions = []*corev3.SocketOption{{
			Level: solSocket, Name: soKeepalive, Value: &corev3.SocketOption_IntValue{IntValue: 1},
		}}
	}
	return c
}
