package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	core "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/streaming/pkg/httpstream"
)

// Inside is a client of what listens in a pod, on its loopback address too: its calls go
// through the API server to the node's kubelet, which makes them in the pod's network. No
// port is opened on this machine. CloseIdleConnections of it ends the way in.
func (c *Client) Inside(namespace, pod string, port int) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return c.dialPod(ctx, namespace, pod, port)
		},
		MaxIdleConnsPerHost: 1,
	}}
}

// dialPod is a connection to a port in a pod.
func (c *Client) dialPod(ctx context.Context, namespace, pod string, port int) (net.Conn, error) {
	at := *c.base
	at.Path = "/api/v1/namespaces/" + url.PathEscape(namespace) + "/pods/" + url.PathEscape(pod) + "/portforward"
	dialer, err := c.forwarder(&at)
	if err != nil {
		return nil, err
	}
	type dialled struct {
		conn httpstream.Connection
		err  error
	}
	came := make(chan dialled, 1)
	go func() {
		conn, _, err := dialer.Dial(portforward.PortForwardProtocolV1Name)
		came <- dialled{conn, err}
	}()
	var d dialled
	select {
	case d = <-came:
	case <-ctx.Done():
		go func() {
			if d := <-came; d.err == nil {
				_ = d.conn.Close() // nobody waits for it any more
			}
		}()
		return nil, ctx.Err()
	}
	if d.err != nil {
		return nil, fmt.Errorf("no way to port %d in pod %s/%s: %w", port, namespace, pod, d.err)
	}
	out, err := streams(d.conn, port)
	if err != nil {
		_ = d.conn.Close() // what is wrong is told already
	}
	return out, err
}

// forwarder dials by websocket and, where an API server or a proxy before it cannot do
// that, by SPDY.
func (c *Client) forwarder(at *url.URL) (httpstream.Dialer, error) {
	transport, upgrader, err := spdy.RoundTripperFor(c.config)
	if err != nil {
		return nil, err
	}
	older := spdy.NewDialerForStreaming(upgrader, &http.Client{Transport: transport}, http.MethodPost, at)
	newer, err := portforward.NewSPDYOverWebsocketDialerForStreaming(at, c.config)
	if err != nil {
		return nil, err
	}
	return portforward.NewFallbackDialerForStreaming(newer, older, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	}), nil
}

// streams opens the two streams of a forwarded connection: what is said, and what went
// wrong at the other end.
func streams(conn httpstream.Connection, port int) (net.Conn, error) {
	headers := http.Header{}
	headers.Set(core.StreamType, core.StreamTypeError)
	headers.Set(core.PortHeader, strconv.Itoa(port))
	headers.Set(core.PortForwardRequestIDHeader, "0")
	wrong, err := conn.CreateStream(headers)
	if err != nil {
		return nil, err
	}
	if err := wrong.Close(); err != nil { // nothing is said on it from here
		return nil, err
	}
	headers.Set(core.StreamType, core.StreamTypeData)
	data, err := conn.CreateStream(headers)
	if err != nil {
		return nil, err
	}
	f := &forwarded{Stream: data, conn: conn, wrong: make(chan error, 1)}
	go func() {
		text, err := io.ReadAll(wrong)
		if err == nil && len(text) > 0 {
			err = errors.New(string(text))
		}
		f.wrong <- err
	}()
	return f, nil
}

// forwarded is a connection into a pod.
type forwarded struct {
	httpstream.Stream
	conn  httpstream.Connection
	wrong chan error
	once  sync.Once
}

// Read tells why the other end closed, where it says so.
func (f *forwarded) Read(p []byte) (int, error) {
	n, err := f.Stream.Read(p)
	if n > 0 || err == nil {
		return n, err
	}
	select {
	case wrong := <-f.wrong:
		if wrong != nil {
			return 0, wrong
		}
	case <-time.After(time.Second): // it may have nothing to say
	}
	return 0, err
}

// Close ends the connection with its way.
func (f *forwarded) Close() error {
	var err error
	f.once.Do(func() { err = f.conn.Close() })
	return err
}

type podAddress struct{}

func (podAddress) Network() string { return "pod" }
func (podAddress) String() string  { return "pod" }

func (*forwarded) LocalAddr() net.Addr  { return podAddress{} }
func (*forwarded) RemoteAddr() net.Addr { return podAddress{} }

// Deadlines are those of the requests' contexts.
func (*forwarded) SetDeadline(time.Time) error      { return nil }
func (*forwarded) SetReadDeadline(time.Time) error  { return nil }
func (*forwarded) SetWriteDeadline(time.Time) error { return nil }
