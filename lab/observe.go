package lab

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/lab/caller"
)

// Observation is what a number of equal requests met.
type Observation struct {
	Results []caller.Result
	// Seen is what the proxies say of each request, in the same order.
	Seen []Sighting
}

// Sighting is one request as the proxies' access logs tell it.
type Sighting struct {
	Reached bool // a server's proxy passed it to the workload, or the workload itself says so where there is no proxy
	Pod     string
	Leaf    ir.ServiceID // the service that the client's proxy chose
	Policy  string       // what the server's proxy names as the deciding object
	Status  int
	Broken  string // a 503, a time-out: an answer that is no verdict
}

// logTimeout is how long a proxy may take to write down what is already done.
const logTimeout = 5 * time.Second

// Request sends one request to the mesh n times and tells what met it.
func (l *Lab) Request(r ir.Request, n int) (*Observation, error) {
	from, err := l.client(r)
	if err != nil {
		return nil, err
	}
	address, protocol, err := l.destination(r)
	if err != nil {
		return nil, err
	}
	if r.External == "" && from.Explicit != nil {
		address = from.dials(r.To)
	}
	batch := caller.Batch{Parallel: 8}
	for range n {
		batch.Requests = append(batch.Requests, request(r, address, protocol, l.requestID()))
	}
	mark := l.journal.mark()
	results, err := l.ground.send(from.ID(), batch)
	if err != nil {
		return nil, err
	}
	servers := l.servers(r)
	if r.HTTP == nil {
		l.awaitConnections(mark, from, servers, results)
	}
	for _, p := range append(servers, from) {
		if err := l.barrier(p); err != nil {
			return nil, err
		}
	}
	entries, _, _ := l.journal.since(mark)
	if r.HTTP == nil {
		return &Observation{results, connections(results, entries, from, servers)}, nil
	}
	return &Observation{results, requests(results, entries, from, servers)}, nil
}

// requestID names one request in every access log.
func (l *Lab) requestID() string { return fmt.Sprintf("meshc-lab-%d", l.requests.Add(1)) }

// destination is where the client dials, and the protocol spoken there.
func (l *Lab) destination(r ir.Request) (string, ir.Protocol, error) {
	if r.External != "" {
		protocol := ir.HTTP
		if r.HTTP == nil {
			protocol = ir.TCP
		}
		return r.External, protocol, l.outer(r.External, protocol)
	}
	result := l.Compiled()
	service, ok := result.Mesh.Service(r.To.Service)
	if !ok {
		return "", "", fmt.Errorf("no service %s in the mesh", r.To.Service)
	}
	port, ok := service.Port(r.To.Port)
	if !ok {
		return "", "", fmt.Errorf("service %s has no port %d", r.To.Service, r.To.Port)
	}
	return l.Address(r.To), port.Protocol, nil
}

// request is the bytes of one request.
func request(r ir.Request, address string, protocol ir.Protocol, id string) caller.Request {
	out := caller.Request{ID: id, Address: address, Kind: caller.HTTP1, Timeout: 5 * time.Second}
	switch {
	case r.HTTP == nil:
		out.Kind, out.Brief = caller.TCP, true
		if protocol == ir.TCPServerFirst {
			out.Kind = caller.ServerFirst
		}
		return out
	case protocol == ir.GRPC || protocol == ir.HTTP2:
		// net/http cannot send such a path as it is written.
		if !strings.HasPrefix(r.HTTP.Path, "//") {
			out.Kind = caller.HTTP2
		}
	}
	out.Method, out.Path, out.Headers = r.HTTP.Method, r.HTTP.Path, r.HTTP.Headers
	return out
}

// servers are the meshed pods that the request may come to.
func (l *Lab) servers(r ir.Request) []*Pod {
	if r.External != "" {
		return nil
	}
	services := []ir.ServiceID{r.To.Service}
	for _, s := range l.Compiled().Mesh.Splits {
		if s.Root == r.To.Service {
			for _, b := range s.Backends {
				services = append(services, b.Service)
			}
		}
	}
	var out []*Pod
	top := l.Topology()
	for _, s := range services {
		for _, p := range top.behind(s) {
			if p.Meshed && !slices.Contains(out, p) {
				out = append(out, p)
			}
		}
	}
	return out
}

// barrier waits until a pod's proxy has written down all that was done before now:
// its log is in order, and a call to an address that nobody has is always refused
// and logged.
func (l *Lab) barrier(p *Pod) error {
	if !p.Meshed {
		return nil
	}
	id := l.requestID()
	mark := l.journal.mark()
	nowhere := net.JoinHostPort(nobody().String(), "1")
	if p.Explicit != nil {
		nowhere = refusedAt
	}
	if _, err := l.ground.send(p.ID(), caller.Batch{Requests: []caller.Request{{ID: id, Address: nowhere, Timeout: logTimeout}}}); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(l.ctx, logTimeout)
	defer cancel()
	if err := l.journal.await(ctx, mark, func(e Entry) bool { return e.RequestID == id }); err != nil {
		return fmt.Errorf("the proxy of %s does not write its access log: %w", p.ID(), err)
	}
	return nil
}

// awaitConnections waits until the proxies have logged the connections that were
// answered: a proxy logs a connection only when both its ends are closed. One that
// no proxy logs in time has gone past them; connections says so.
func (l *Lab) awaitConnections(mark int, from *Pod, servers []*Pod, results []caller.Result) {
	answered := 0
	for _, r := range results {
		if answeredTCP(r) {
			answered++
		}
	}
	if answered == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(l.ctx, logTimeout)
	defer cancel()
	outbound, inbound := 0, 0
	_ = l.journal.await(ctx, mark, func(e Entry) bool {
		if e.Kind == "tcp" && e.Side == "outbound" && e.Pod == from.ID() && e.BytesOut > 0 {
			outbound++
		}
		if e.Kind == "tcp" && e.Side == "inbound" && isOf(e.Pod, servers) && carried(e) {
			inbound++
		}
		return (outbound >= answered || !from.Meshed) && (inbound >= answered || len(servers) == 0)
	})
}

func isOf(pod string, pods []*Pod) bool {
	return slices.ContainsFunc(pods, func(p *Pod) bool { return p.ID() == pod })
}

// carried tells whether a proxy passed bytes between client and workload.
func carried(e Entry) bool { return e.Upstream != "" && (e.BytesIn > 0 || e.BytesOut > 0) }
