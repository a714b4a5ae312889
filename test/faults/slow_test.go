package faults

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"sync"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"

	"github.com/meshc/meshc/compiler/ir"
)

// slowReaders connects clients that ask for everything and then read nothing, not
// even what keeps a connection alive: the proxies beside them miss no change.
func slowReaders(w *world) {
	deaf := &deafness{}
	defer deaf.end()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(w.control.Roots())
	conn, err := grpc.NewClient("passthrough:///"+w.control.address(),
		grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: pool, ServerName: "10.244.0.1"})),
		grpc.WithContextDialer(deaf.dial))
	must(w.t, err)
	defer conn.Close()
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	for range 10 {
		w.connectSlow(ctx, conn)
	}
	w.until("the slow clients are connected", func(st status) bool { return len(st.Proxies) >= len(w.meshed())+10 })
	deaf.begin()
	for range 10 {
		w.change()
	}
	w.asked(1)
	cured := time.Now()
	deaf.end()
	cancel()
	conn.Close()
	w.either()
	w.publish()
	w.recover(cured)
}

// connectSlow opens a stream as a workload of the client's and subscribes to what
// that has.
func (w *world) connectSlow(ctx context.Context, conn *grpc.ClientConn) {
	w.t.Helper()
	raw, err := w.control.Token(ir.NewIdentity(trustDomain, "shop", "client"), "shop/client-0")
	must(w.t, err)
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", raw)
	stream, err := discovery.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(ctx)
	must(w.t, err)
	for _, kind := range []string{"envoy.config.cluster.v3.Cluster", "envoy.config.listener.v3.Listener"} {
		must(w.t, stream.Send(&discovery.DeltaDiscoveryRequest{
			Node: &core.Node{Id: "slow"}, TypeUrl: "type.googleapis.com/" + kind, ResourceNamesSubscribe: []string{"*"},
		}))
	}
}

// deafness is whether connections hear anything.
type deafness struct {
	mu    sync.Mutex
	until chan struct{} // nil: they hear
}

func (d *deafness) begin() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.until = make(chan struct{})
}

func (d *deafness) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.until != nil {
		close(d.until)
		d.until = nil
	}
}

func (d *deafness) dial(ctx context.Context, address string) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	return &deafConn{c, d}, err
}

type deafConn struct {
	net.Conn
	deaf *deafness
}

func (c *deafConn) Read(b []byte) (int, error) {
	c.deaf.mu.Lock()
	until := c.deaf.until
	c.deaf.mu.Unlock()
	if until != nil {
		<-until
	}
	return c.Conn.Read(b)
}
