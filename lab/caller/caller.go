// Package caller sends requests from inside a pod and tells exactly what came
// back: bytes on the wire as they were asked for, no retries, no redirects, no
// cleaning of paths. It knows no policy and judges nothing.
package caller

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/meshc/meshc/compiler/ir"
)

// Kind is how a request is spoken.
type Kind string

// The kinds.
const (
	HTTP1       Kind = "http/1.1"
	HTTP2       Kind = "h2c"
	GRPC        Kind = "grpc"
	WebSocket   Kind = "websocket"
	TCP         Kind = "tcp"              // the client speaks first
	ServerFirst Kind = "tcp-server-first" // the client waits for a greeting
	Raw         Kind = "raw"              // the request's Bytes as they are
	Frames      Kind = "frames"           // HTTP/2 with the header block as it is
)

// Request is one request.
type Request struct {
	ID      string // x-request-id of HTTP kinds
	Kind    Kind
	Address string // HOST:PORT
	Family  string // "4" or "6"; empty: either
	Method  string
	Path    string
	Headers []ir.Header // each a line; "host" is the authority
	Body    string
	Bytes   []byte        // of Raw
	TLS     *TLS          // nil: in plain
	Brief   bool          // TCP kinds: the first bytes are answer enough
	Timeout time.Duration // 0: ten seconds
}

// Result is what came of a request. Error is set when no whole answer came.
type Result struct {
	ID       string
	Local    string // the client's own address and port
	Remote   string // the address and port that was dialled
	Status   int    // of HTTP kinds
	Headers  map[string][]string
	Body     string // at most 64 KiB; of TCP kinds what the server sent
	Bytes    []byte // of Raw: all that the server sent
	TimedOut bool
	Error    string
	Took     time.Duration
}

// Batch is requests to send, Parallel at a time. An HTTP/1.1 connection serves
// the next request to the same address.
type Batch struct {
	Requests []Request
	Parallel int
}

// bodyLimit bounds the part of an answer that is kept.
const bodyLimit = 64 << 10

// Send sends a batch; results are in the order of the requests.
func Send(b Batch) []Result {
	results := make([]Result, len(b.Requests))
	next := make(chan int)
	var wait sync.WaitGroup
	for range max(1, min(b.Parallel, len(b.Requests))) {
		wait.Go(func() {
			w := &worker{}
			defer w.close()
			for i := range next {
				results[i] = w.send(b.Requests[i])
			}
		})
	}
	for i := range b.Requests {
		next <- i
	}
	close(next)
	wait.Wait()
	return results
}

// worker sends one request at a time.
type worker struct{ kept *http1Conn }

func (w *worker) close() {
	if w.kept != nil {
		w.kept.Close()
	}
}

func (w *worker) send(r Request) Result {
	if r.Timeout == 0 {
		r.Timeout = 10 * time.Second
	}
	ctx, cancel := context.WithTimeout(context.Background(), r.Timeout)
	defer cancel()
	start := time.Now()
	var result Result
	var err error
	switch r.Kind {
	case TCP, ServerFirst:
		result, err = sendTCP(ctx, r)
	case HTTP2, GRPC:
		result, err = sendHTTP2(ctx, r)
	case WebSocket:
		result, err = sendWebSocket(ctx, r)
	case Raw:
		result, err = sendRaw(ctx, r)
	case Frames:
		result, err = sendFrames(ctx, r)
	default:
		result, err = w.sendHTTP1(ctx, r)
	}
	result.ID, result.Took = r.ID, time.Since(start)
	if err != nil {
		result.Error = err.Error()
		result.TimedOut = result.TimedOut || ctx.Err() != nil || isTimeout(err)
	}
	return result
}

func isTimeout(err error) bool {
	n, ok := err.(net.Error)
	return ok && n.Timeout()
}

// dial connects by the pod's own name resolution.
func dial(ctx context.Context, r Request) (net.Conn, error) {
	d := net.Dialer{Resolver: &net.Resolver{PreferGo: true}}
	c, err := d.DialContext(ctx, "tcp"+r.Family, r.Address)
	if err != nil {
		return nil, err
	}
	deadline, _ := ctx.Deadline()
	if err := c.SetDeadline(deadline); err != nil || r.TLS == nil {
		return c, err
	}
	secured, err := r.TLS.handshake(ctx, c)
	if err != nil {
		c.Close()
		return nil, err
	}
	return secured, nil
}
