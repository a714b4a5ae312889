package lab

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/lab/echo"
)

// Names of pods that no manifest asks for.
const (
	extraNamespace = "meshc-lab"
	outsideName    = "outside"
)

// client is the pod that a request is sent from: a workload of its identity, best
// one that serves nothing; else a client pod made for it. A pod behind a headless
// service does not call that service: it could meet its own address, and what
// goes over loopback is no proxy's business. No identity is the pod outside.
func (l *Lab) client(r ir.Request) (*Pod, error) {
	l.mu.Lock()
	candidates := slices.Concat(l.state.topology.Pods, l.extras)
	service, _ := l.state.result.Mesh.Service(r.To.Service)
	l.mu.Unlock()
	var found *Pod
	for _, p := range candidates {
		fits := p.Identity == r.From && p.Meshed
		if r.From == "" {
			fits = p.ID() == extraNamespace+"/"+outsideName
		}
		if service != nil && service.Headless && slices.Contains(p.Services, r.To.Service) {
			continue
		}
		if fits && (found == nil || len(p.Services) < len(found.Services)) {
			found = p
		}
	}
	if found != nil {
		return found, nil
	}
	return l.extra(clientPod(r.From))
}

func clientPod(id ir.Identity) *Pod {
	p := &Pod{Namespace: extraNamespace, Name: outsideName, Workload: outsideName, Kind: "Client"}
	if id == "" {
		return p
	}
	p.Identity, p.Meshed = id, true
	p.Name = "client-" + id.SNI()[:8]
	if _, namespace, account, ok := id.Split(); ok {
		p.Namespace, p.Name = namespace, "client-"+account
	}
	p.Workload = p.Name
	return p
}

// outer is the pod that stands for a host outside of the mesh. On the port asked
// for it runs the echo workload in the protocol that is going to be spoken.
func (l *Lab) outer(external string, protocol ir.Protocol) error {
	host, number, ok := ir.HostPort(external)
	if !ok {
		return fmt.Errorf("%q is not HOST:PORT", external)
	}
	port := echo.Port{Number: number, Protocol: protocol}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	l.mu.Lock()
	i := slices.IndexFunc(l.extras, func(p *Pod) bool { return p.Outer == host })
	l.mu.Unlock()
	if i < 0 {
		return l.addOuter(host, port)
	}
	p := l.extras[i]
	if slices.Contains(p.Ports, port) {
		return nil
	}
	p.Ports = slices.DeleteFunc(p.Ports, func(had echo.Port) bool { return had.Number == port.Number })
	p.Ports = append(p.Ports, port)
	return l.ground.serve(p)
}

func (l *Lab) addOuter(host string, port echo.Port) error {
	p := &Pod{
		Namespace: extraNamespace, Name: strings.ReplaceAll(host, ":", "-"), Workload: host,
		Kind: "Outside", Outer: host, Ports: []echo.Port{port},
	}
	addr, err := netip.ParseAddr(host)
	if err == nil {
		p.Addresses = []netip.Addr{addr}
	} else if p.Addresses, err = l.pools.outer(host); err != nil {
		return err
	}
	_, err = l.extra(p)
	return err
}

// extra starts a pod that no manifest asks for.
func (l *Lab) extra(p *Pod) (*Pod, error) {
	l.changing.Lock()
	defer l.changing.Unlock()
	if i := slices.IndexFunc(l.extras, func(had *Pod) bool { return had.ID() == p.ID() }); i >= 0 {
		return l.extras[i], nil // somebody was faster
	}
	if p.Addresses == nil {
		addresses, err := l.pools.pod(p.ID())
		if err != nil {
			return nil, err
		}
		p.Addresses = addresses
	}
	if err := l.replace([]*Pod{p}, nil); err != nil {
		return nil, err
	}
	l.mu.Lock()
	l.extras = append(l.extras, p)
	l.mu.Unlock()
	return p, l.settle([]*Pod{p})
}
