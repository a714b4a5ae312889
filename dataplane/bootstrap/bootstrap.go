// Package bootstrap writes the configuration an Envoy starts with: who it is,
// where its control plane is and how both prove themselves, its admin and
// metrics ports. All else comes over ADS. It knows no policy.
//
// # Marks
//
// Options.Mark sets SO_MARK by cluster_manager.upstream_bind_config. It holds
// for every cluster, static or from CDS, IPv4 or IPv6, also for one with a bind
// configuration of its own (`inbound`, source 127.0.0.6 or ::6), unless that
// sets socket options: these replace the bootstrap's, and then MarkOption must
// be among them. What `inbound` delivers needs no mark in any case: the first
// rules of netinit let its source pass. Package netinit's tests prove all this.
package bootstrap

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	overloadv3 "github.com/envoyproxy/go-control-plane/envoy/config/overload/v3"
	connectionsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/resource_monitors/downstream_connections/v3"
	"github.com/meshc/meshc/compiler/ir"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
)

// The defaults of Options and the names of what a bootstrap holds.
const (
	AdminPort   = 15000
	MetricsPort = 15010
	ProbePort   = 15020
	XDSPort     = 15128

	ControlPlaneCluster = "meshc-xds"
	adminCluster        = "meshc-admin"
	metricsListener     = "meshc-metrics"
)

// regexSize lifts RE2's default of 100 instructions, which quite ordinary paths exceed.
const regexSize = 32768

// maxConnections is where Envoy stops accepting, well before it runs out of
// files under the limits usual in containers (1,048,576; two a proxied connection).
const maxConnections = 200_000

// Options are what one Envoy is told. Identity, ControlPlane, CA and one
// credential with its SecretsFile are required.
type Options struct {
	Identity ir.Identity
	Workload string // NAMESPACE/NAME in the catalog; the node id, a hint only
	Region   string
	Zone     string
	SubZone  string

	ControlPlane string // HOST:PORT of its ADS
	ServerName   string // the name its certificate must have; HOST if empty
	CA           []byte // PEM: what its certificate must be signed by
	// CAFile is a file with the CA instead, which may be replaced by rename at any
	// time; CASecretFile is where Envoy finds what Authority returns. Write both first.
	CAFile       string
	CASecretFile string

	// The credential: a file with a join token or a projected service-account
	// token, or files with a client certificate chain and its key. They may be
	// replaced by rename at any time: Envoy watches their folder.
	TokenFile string
	CertFile  string
	KeyFile   string
	// SecretsFile is where Envoy finds what Secrets returns. Write it first.
	SecretsFile string

	Admin       netip.AddrPort // 127.0.0.1:15000; must be loopback
	MetricsPort uint16         // 15010
	IPv4Only    bool           // for kernels without IPv6
	Mark        uint32         // SO_MARK of every upstream connection; 0: none

	// Hold keeps Envoy from being ready until its control plane has told it of
	// listeners and clusters, however long that takes; else it gives up after 15 s.
	Hold bool
	// Ready serves GET /ready on ProbePort, and Probes what a kubelet asks of the
	// containers beside it, which it cannot reach itself under strict mTLS.
	Ready     bool
	ProbePort uint16 // 15020
	PodIP     string // the address that Probes are sent to; required with any
	Probes    []Probe
}

func (o Options) withDefaults() Options {
	if !o.Admin.IsValid() {
		o.Admin = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), AdminPort)
	}
	if o.MetricsPort == 0 {
		o.MetricsPort = MetricsPort
	}
	if o.ProbePort == 0 {
		o.ProbePort = ProbePort
	}
	return o
}

// JSON is the bootstrap as `envoy --config-path` reads it: equal bytes for
// equal options.
func JSON(o Options) ([]byte, error) {
	b, err := Message(o)
	if err != nil {
		return nil, err
	}
	return Print(b)
}

// Line is the bootstrap as one line, for `envoy --config-yaml`.
func Line(o Options) ([]byte, error) {
	b, err := Message(o)
	if err != nil {
		return nil, err
	}
	return line(b)
}

// Message is the bootstrap as a message, for who adds to it.
func Message(o Options) (*bootstrapv3.Bootstrap, error) {
	o = o.withDefaults()
	upstream, err := o.check()
	if err != nil {
		return nil, fmt.Errorf("bootstrap: %w", err)
	}
	xds, err := o.controlPlane(upstream)
	if err != nil {
		return nil, fmt.Errorf("bootstrap: %w", err)
	}
	metrics, err := o.metrics()
	if err != nil {
		return nil, fmt.Errorf("bootstrap: %w", err)
	}
	b := Base(o)
	probes, err := o.probes()
	if err != nil {
		return nil, fmt.Errorf("bootstrap: %w", err)
	}
	b.DynamicResources = o.dynamic()
	b.StaticResources.Listeners = append([]*listenerv3.Listener{metrics}, probes.listeners...)
	b.StaticResources.Clusters = append([]*clusterv3.Cluster{xds, o.adminCluster()}, probes.clusters...)
	if err := b.ValidateAll(); err != nil {
		return nil, fmt.Errorf("bootstrap: %w", err)
	}
	return b, nil
}

// Base is a bootstrap without a control plane and without the metrics port:
// node, admin, limits, runtime. It asks for no credential.
func Base(o Options) *bootstrapv3.Bootstrap {
	o = o.withDefaults()
	return &bootstrapv3.Bootstrap{
		Node:            o.node(),
		StaticResources: &bootstrapv3.Bootstrap_StaticResources{},
		ClusterManager:  o.clusterManager(),
		Admin: &bootstrapv3.Admin{
			Address:               socket(o.Admin),
			IgnoreGlobalConnLimit: true, // one must be able to look when it is full
		},
		LayeredRuntime:  runtime(),
		OverloadManager: overload(),
	}
}

// Print writes a message as indented JSON. protojson varies its spaces from
// build to build, so these are made anew.
func Print(m proto.Message) ([]byte, error) {
	tight, err := line(m)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, tight, "", "  "); err != nil {
		return nil, fmt.Errorf("bootstrap: %w", err)
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

func line(m proto.Message) ([]byte, error) {
	raw, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("bootstrap: %w", err)
	}
	var out bytes.Buffer
	if err := json.Compact(&out, raw); err != nil {
		return nil, fmt.Errorf("bootstrap: %w", err)
	}
	return out.Bytes(), nil
}

// Env is what the environment of the Envoy of an identity must hold beside the
// bootstrap: listeners and refusals are equal bytes for every client and read it.
func Env(id ir.Identity) []string {
	return []string{"MESHC_IDENTITY=" + id.Short(), "MESHC_SNI=" + id.SNI()}
}

// node holds hints for people and for status; the control plane believes the
// authenticated transport alone.
func (o Options) node() *corev3.Node {
	meta := map[string]*structpb.Value{"meshc.dev/identity": structpb.NewStringValue(string(o.Identity))}
	if o.Workload != "" {
		meta["meshc.dev/workload"] = structpb.NewStringValue(o.Workload)
	}
	if o.IPv4Only {
		meta["meshc.dev/ipv4-only"] = structpb.NewBoolValue(true) // so that ADS sends no IPv6 address either
	}
	n := &corev3.Node{Id: o.Workload, Cluster: o.Identity.Short(), Metadata: &structpb.Struct{Fields: meta}}
	if n.Id == "" {
		n.Id = o.Identity.Short()
	}
	if o.Region != "" || o.Zone != "" || o.SubZone != "" {
		n.Locality = &corev3.Locality{Region: o.Region, Zone: o.Zone, SubZone: o.SubZone}
	}
	return n
}

func runtime() *bootstrapv3.LayeredRuntime {
	return &bootstrapv3.LayeredRuntime{Layers: []*bootstrapv3.RuntimeLayer{{
		Name: "meshc",
		LayerSpecifier: &bootstrapv3.RuntimeLayer_StaticLayer{StaticLayer: &structpb.Struct{Fields: map[string]*structpb.Value{
			"re2.max_program_size.error_level": structpb.NewNumberValue(regexSize),
		}}},
	}}}
}

func overload() *overloadv3.OverloadManager {
	return &overloadv3.OverloadManager{
		RefreshInterval: durationpb.New(250 * time.Millisecond),
		ResourceMonitors: []*overloadv3.ResourceMonitor{{
			Name: "envoy.resource_monitors.global_downstream_max_connections",
			ConfigType: &overloadv3.ResourceMonitor_TypedConfig{TypedConfig: pack(&connectionsv3.DownstreamConnectionsConfig{
				MaxActiveDownstreamConnections: maxConnections,
			})},
		}},
	}
}

// pack serialises a message of our own making: it cannot fail but for a defect
// here, and then ValidateAll or Envoy refuse the empty Any.
func pack(m proto.Message) *anypb.Any {
	a := &anypb.Any{}
	if err := anypb.MarshalFrom(a, m, proto.MarshalOptions{Deterministic: true}); err != nil {
		return nil
	}
	return a
}

func socket(a netip.AddrPort) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: a.Addr().String(), PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(a.Port())},
	}}}
}
