package kube

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	core "k8s.io/api/core/v1"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/compiler/ir"
)

// OSM's names for what LabelMesh and LabelInject say: its users' namespaces are
// understood as they are.
const (
	osmMesh   = "openservicemesh.io/monitored-by"
	osmIgnore = "openservicemesh.io/ignore"
	osmInject = "openservicemesh.io/sidecar-injection"
)

// pod is a running pod as the catalog has it.
type pod struct {
	*core.Pod
	addresses []netip.Addr
	workload  catalog.Workload
}

// pods are those that run, or are about to, by name.
func (r Rules) pods(o *Objects) map[string]*pod {
	out := make(map[string]*pod, len(o.Pods))
	for _, p := range o.Pods {
		if p.Status.Phase == core.PodSucceeded || p.Status.Phase == core.PodFailed {
			continue // its address may be another pod's by now
		}
		w := catalog.Workload{
			Name:     o.Name + "/" + p.Name,
			Identity: ir.NewIdentity(r.TrustDomain, o.Name, cmp.Or(p.Spec.ServiceAccountName, "default")),
			Meshed:   r.Meshed(o, p),
			Locality: o.Localities[p.Spec.NodeName],
		}
		addresses := podAddresses(p)
		if !p.Spec.HostNetwork { // those are the node's
			w.Addresses = addresses
		}
		out[p.Name] = &pod{Pod: p, addresses: addresses, workload: w}
	}
	return out
}

func podAddresses(p *core.Pod) []netip.Addr {
	var out []netip.Addr
	for _, ip := range p.Status.PodIPs {
		if a, err := netip.ParseAddr(ip.IP); err == nil {
			out = append(out, a.Unmap())
		}
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return slices.Compact(out)
}

// MeshOf is the mesh that a namespace says it belongs to, in our words or OSM's, "" for
// none. What is ignored belongs to none.
func (r Rules) MeshOf(o *Objects) string {
	if o.Labels[osmIgnore] == "true" {
		return ""
	}
	return cmp.Or(o.Labels[ir.LabelMesh], o.Labels[osmMesh])
}

// Meshed: the label that injection leaves decides what a pod speaks now; whether it
// is to be injected is said by its namespace and itself. A pod in its node's network
// cannot be intercepted without intercepting the node.
func (r Rules) Meshed(o *Objects, p *core.Pod) bool {
	if p.Spec.HostNetwork {
		return false
	}
	if _, ok := p.Labels[ir.LabelInjected]; ok {
		mesh := cmp.Or(o.Labels[ir.LabelMesh], o.Labels[osmMesh], r.Mesh)
		return r.Mesh == "" || mesh == r.Mesh
	}
	return r.Intended && r.intended(o, p)
}

// intended tells whether injection would give a pod its sidecar: if its namespace
// is in the mesh, and the first that says anything says so. Pods of OSM's namespaces
// ask for it.
func (r Rules) intended(o *Objects, p *core.Pod) bool {
	mesh := cmp.Or(o.Labels[ir.LabelMesh], o.Labels[osmMesh])
	if mesh == "" || r.Mesh != "" && mesh != r.Mesh || o.Labels[osmIgnore] == "true" {
		return false
	}
	for _, said := range []struct {
		word string
		osm  bool // OSM's own annotation knows more words than ours
	}{
		{p.Labels[ir.LabelInject], false}, {p.Annotations[ir.LabelInject], false}, {p.Annotations[osmInject], true},
		{o.Labels[ir.LabelInject], false}, {o.Annotations[ir.LabelInject], false}, {o.Annotations[osmInject], true},
	} {
		switch word := strings.ToLower(said.word); {
		case word == "":
		case word == "disabled", said.osm && (word == "no" || word == "false"):
			return false
		default:
			return true // also where nobody can tell what is said: injection takes it for a wish
		}
	}
	return o.Labels[ir.LabelMesh] != ""
}

// selects tells whether a service's selector selects a pod; an empty one selects none.
func selects(selector, labels map[string]string) bool {
	for name, value := range selector {
		if got, ok := labels[name]; !ok || got != value {
			return false
		}
	}
	return len(selector) > 0
}

// containerPort is the number that a pod's containers have for a name, 0 for none.
func containerPort(p *core.Pod, name string, transport core.Protocol) uint16 {
	for _, list := range [][]core.Container{p.Spec.Containers, p.Spec.InitContainers} {
		for _, c := range list {
			for _, port := range c.Ports {
				if port.Name == name && cmp.Or(port.Protocol, core.ProtocolTCP) == transport && port.ContainerPort > 0 && port.ContainerPort < 65536 {
					return uint16(port.ContainerPort)
				}
			}
		}
	}
	return 0
}
