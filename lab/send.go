package lab

import (
	"net"
	"net/netip"
	"slices"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/lab/caller"
)

// Client is the pod that a request is sent from; without an identity one without
// a proxy. It is made if there is none.
func (l *Lab) Client(r ir.Request) (*Pod, error) { return l.client(r) }

// Errand is requests to send from one pod.
type Errand struct {
	From  *Pod
	Batch caller.Batch
}

// Send sends requests just as they are, all errands at once. With what came back
// for each come the lines that the access logs of all proxies have had since;
// those of connections that are still open are not among them.
func (l *Lab) Send(errands ...Errand) ([][]caller.Result, []Entry, error) {
	mark := l.journal.mark()
	results := make([][]caller.Result, len(errands))
	var sending errgroup.Group
	for i, e := range errands {
		sending.Go(func() (err error) {
			results[i], err = l.ground.send(e.From.ID(), e.Batch)
			return err
		})
	}
	if err := sending.Wait(); err != nil {
		return nil, nil, err
	}
	l.mu.Lock()
	pods := slices.Concat(l.state.topology.Pods, l.extras)
	l.mu.Unlock()
	// Twice: what a client's proxy lets go of its server's proxy writes down later.
	for range 2 {
		var writing errgroup.Group
		for _, p := range pods {
			writing.Go(func() error { return l.barrier(p) })
		}
		if err := writing.Wait(); err != nil {
			return nil, nil, err
		}
	}
	entries, _, _ := l.journal.since(mark)
	return results, slices.Clone(entries), nil
}

// Past is where a service port is dialled past the client's proxy: the address
// and target port of each meshed pod behind it.
func (l *Lab) Past(id ir.PortID) []netip.AddrPort {
	var out []netip.AddrPort
	for _, p := range l.Topology().behind(id.Service) {
		if port, ok := p.Targets[id]; ok && p.Meshed {
			out = append(out, netip.AddrPortFrom(p.Addresses[0], port))
		}
	}
	return out
}

// Address is the name and port by which a client calls a service port. Behind the
// name of a headless service stand its pods themselves, which listen on their
// target port.
func (l *Lab) Address(id ir.PortID) string {
	host := id.Service.Name + "." + id.Service.Namespace + ".svc." + l.ground.clusterDomain
	number := id.Port
	if service, ok := l.Compiled().Mesh.Service(id.Service); ok && service.Headless {
		for _, p := range l.Topology().behind(id.Service) {
			if target, ok := p.Targets[id]; ok {
				number = target
			}
		}
	}
	return net.JoinHostPort(host, strconv.Itoa(int(number)))
}
