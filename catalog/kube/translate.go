package kube

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/catalog/file"
	"github.com/meshc/meshc/compiler/ir"
)

// Part is one namespace of one cluster as the catalog has it, before it is joined
// with others. Endpoints name their port for every service port.
type Part struct {
	namespace catalog.Namespace
	services  []catalog.Service
	workloads []catalog.Workload
	accounts  []ir.Identity
}

// labelsOfTheMesh are those that policy may rest on: no other label is a fact.
var labelsOfTheMesh = []string{ir.LabelMesh, ir.LabelInject}

// Translate reads the objects of a namespace. Services, selectors and slices reach
// no further than their namespace, so a change in one concerns no other.
func (r Rules) Translate(o *Objects) *Part {
	r.TrustDomain = cmp.Or(r.TrustDomain, file.DefaultTrustDomain)
	p := &Part{namespace: catalog.Namespace{Name: o.Name}}
	for _, label := range labelsOfTheMesh {
		if v := o.Labels[label]; v != "" {
			if p.namespace.Labels == nil {
				p.namespace.Labels = map[string]string{}
			}
			p.namespace.Labels[label] = v
		}
	}
	for _, name := range slices.Sorted(slices.Values(o.Accounts)) {
		p.accounts = append(p.accounts, ir.NewIdentity(r.TrustDomain, o.Name, name))
	}
	pods := r.pods(o)
	slicesOf := map[string][]int{}
	for i, s := range o.Slices {
		slicesOf[s.Labels["kubernetes.io/service-name"]] = append(slicesOf[s.Labels["kubernetes.io/service-name"]], i)
	}
	for _, s := range slices.SortedFunc(slices.Values(o.Services), func(a, b *core.Service) int { return cmp.Compare(a.Name, b.Name) }) {
		svc, ok := serviceOf(s)
		if !ok {
			continue
		}
		t := &translation{objects: o, pods: pods, source: s, out: &svc}
		t.endpoints(slicesOf[s.Name])
		t.back()
		t.targets()
		p.services = append(p.services, svc)
	}
	for _, name := range slices.Sorted(maps.Keys(pods)) {
		w := pods[name].workload
		slices.SortFunc(w.Services, ir.ServiceID.Compare)
		w.Services = slices.Compact(w.Services)
		p.workloads = append(p.workloads, w)
	}
	return p
}

// serviceOf is a service without endpoints; false for one that no proxy can carry.
func serviceOf(s *core.Service) (catalog.Service, bool) {
	out := catalog.Service{ID: ir.ServiceID{Namespace: s.Namespace, Name: s.Name}, Headless: s.Spec.ClusterIP == core.ClusterIPNone}
	if s.Spec.Type == core.ServiceTypeExternalName {
		return out, false
	}
	// Kubernetes spreads calls over all zones unless a service says otherwise.
	out.Spread = s.Spec.TrafficDistribution == nil
	for _, ip := range s.Spec.ClusterIPs {
		if a, err := netip.ParseAddr(ip); err == nil {
			out.VIPs = append(out.VIPs, a.Unmap())
		}
	}
	slices.SortFunc(out.VIPs, netip.Addr.Compare)
	for _, p := range carried(s) {
		protocol, _ := ir.PortProtocol(string(p.Protocol), value(p.AppProtocol), p.Name)
		out.Ports = append(out.Ports, catalog.ServicePort{Port: uint16(p.Port), Name: p.Name, Protocol: protocol})
	}
	return out, len(out.Ports) > 0 && (out.Headless || len(out.VIPs) > 0)
}

// carried are the ports that a proxy can carry, in order of number. A number that
// is both TCP and UDP is the TCP port: the other never reaches a sidecar.
func carried(s *core.Service) []core.ServicePort {
	var out []core.ServicePort
	for _, p := range s.Spec.Ports {
		transport := cmp.Or(p.Protocol, core.ProtocolTCP)
		if p.Port < 1 || p.Port > 65535 || transport != core.ProtocolTCP && transport != core.ProtocolUDP {
			continue
		}
		p.Protocol = transport
		out = append(out, p)
	}
	slices.SortStableFunc(out, func(a, b core.ServicePort) int {
		return cmp.Or(cmp.Compare(a.Port, b.Port), cmp.Compare(a.Protocol, b.Protocol)) // TCP before UDP
	})
	return slices.CompactFunc(out, func(a, b core.ServicePort) bool { return a.Port == b.Port })
}

// translation is one service on its way.
type translation struct {
	objects *Objects
	pods    map[string]*pod
	source  *core.Service
	out     *catalog.Service
}

// back tells the pods that the service selects that they back it. Slices come
// later than pods: a proxy that is told of its role by them would be told twice.
func (t *translation) back() {
	for _, p := range t.pods {
		if selects(t.source.Spec.Selector, p.Labels) {
			p.workload.Services = append(p.workload.Services, t.out.ID)
		}
	}
}

// targets settles each port's target: what it says itself, or where the endpoints,
// or else the pods, have what it names. Endpoints that differ say so themselves.
func (t *translation) targets() {
	for i, p := range carried(t.source) {
		port := &t.out.Ports[i]
		port.TargetPort = port.Port
		switch target := p.TargetPort; {
		case target.Type == intstr.String && target.StrVal != "":
			if n := t.named(port.Port, target.StrVal, p.Protocol); n != 0 {
				port.TargetPort = n
			}
		case target.IntVal > 0 && target.IntVal < 65536:
			port.TargetPort = uint16(target.IntVal)
		}
	}
}

// named is the least number that a name stands for behind the service, so that
// the order of pods changes nothing.
func (t *translation) named(port uint16, name string, transport core.Protocol) uint16 {
	var least uint16
	take := func(n uint16) {
		if n != 0 && (least == 0 || n < least) {
			least = n
		}
	}
	for _, e := range t.out.Endpoints {
		take(e.Ports[port])
	}
	if least != 0 {
		return least
	}
	for _, p := range t.pods {
		if selects(t.source.Spec.Selector, p.Labels) {
			take(containerPort(p.Pod, name, transport))
		}
	}
	return least
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
