package lab

import (
	"net"
	"net/netip"
	"slices"
	"strconv"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/lab/caller"
)

// Client is the pod that calls as an identity; no identity is a pod without a
// proxy. It is made if there is none.
func (l *Lab) Client(id ir.Identity) (*Pod, error) { return l.client(ir.Request{From: id}) }

// Send sends requests just as they are from inside a pod. With what came back
// come the lines that the access logs of all proxies have had since, in order;
// those of connections that are still open are not among them.
func (l *Lab) Send(from *Pod, batch caller.Batch) ([]caller.Result, []Entry, error) {
	mark := l.journal.mark()
	results, err := l.ground.send(from.ID(), batch)
	if err != nil {
		return nil, nil, err
	}
	l.mu.Lock()
	pods := slices.Concat(l.state.topology.Pods, l.extras)
	l.mu.Unlock()
	for _, p := range pods {
		if err := l.barrier(p); err != nil {
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

// Address is the name and port by which a client calls a service port.
func (l *Lab) Address(id ir.PortID) string {
	host := id.Service.Name + "." + id.Service.Namespace + ".svc." + l.ground.clusterDomain
	return net.JoinHostPort(host, strconv.Itoa(int(id.Port)))
}
