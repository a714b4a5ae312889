package kube

import (
	core "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/meshc/meshc/compiler/ir"
)

// AnnotationPlaintext on a service names ports that plain clients may reach. It is
// policy: the catalog keeps it for who compiles what it watches.
const AnnotationPlaintext = "meshc.dev/plaintext-ports"

// LabelEnforce on a namespace, with the value true: what would break policy is denied
// there, not only warned of, when applications change.
const LabelEnforce = "meshc.dev/enforce"

// trim leaves of an object what the catalog reads: a cluster's pods in full would
// take ten times the memory.
func trim(o any) (any, error) {
	switch o := o.(type) {
	case *core.Pod:
		return trimPod(o), nil
	case *core.Service:
		h := head(o.ObjectMeta)
		h.Annotations = only(o.Annotations, AnnotationPlaintext)
		return &core.Service{ObjectMeta: h, Spec: core.ServiceSpec{
			Type: o.Spec.Type, ClusterIP: o.Spec.ClusterIP, ClusterIPs: o.Spec.ClusterIPs, Selector: o.Spec.Selector,
			Ports: o.Spec.Ports, TrafficDistribution: o.Spec.TrafficDistribution, ExternalName: o.Spec.ExternalName,
		}}, nil
	case *discovery.EndpointSlice:
		h := head(o.ObjectMeta)
		h.Labels = only(o.Labels, discovery.LabelServiceName)
		out := &discovery.EndpointSlice{ObjectMeta: h, AddressType: o.AddressType, Ports: o.Ports, Endpoints: o.Endpoints}
		for i := range out.Endpoints {
			out.Endpoints[i].DeprecatedTopology, out.Endpoints[i].Hints = nil, nil
		}
		return out, nil
	case *core.ServiceAccount:
		return &core.ServiceAccount{ObjectMeta: head(o.ObjectMeta)}, nil
	case *core.Namespace:
		h := head(o.ObjectMeta)
		h.Labels = only(o.Labels, ir.LabelMesh, ir.LabelInject, osmMesh, osmIgnore, LabelEnforce)
		h.Annotations = only(o.Annotations, ir.LabelInject, osmInject)
		return &core.Namespace{ObjectMeta: h}, nil
	case *core.Node:
		h := head(o.ObjectMeta)
		h.Labels = only(o.Labels, core.LabelTopologyRegion, core.LabelTopologyZone)
		return &core.Node{ObjectMeta: h, Spec: core.NodeSpec{PodCIDRs: o.Spec.PodCIDRs}}, nil
	case *networking.ServiceCIDR:
		return &networking.ServiceCIDR{ObjectMeta: head(o.ObjectMeta), Spec: o.Spec}, nil
	case *core.Secret, cache.DeletedFinalStateUnknown:
		return o, nil
	}
	return o, nil
}

func head(m meta.ObjectMeta) meta.ObjectMeta {
	return meta.ObjectMeta{Name: m.Name, Namespace: m.Namespace, UID: m.UID, ResourceVersion: m.ResourceVersion}
}

func only(labels map[string]string, names ...string) map[string]string {
	out := map[string]string{}
	for _, n := range names {
		if v, ok := labels[n]; ok {
			out[n] = v
		}
	}
	return out
}

func trimPod(p *core.Pod) *core.Pod {
	h := head(p.ObjectMeta)
	h.Labels, h.Annotations = p.Labels, only(p.Annotations, ir.LabelInject, osmInject)
	if by := meta.GetControllerOf(p); by != nil {
		h.OwnerReferences = []meta.OwnerReference{{Kind: by.Kind, Name: by.Name, Controller: by.Controller}}
	}
	return &core.Pod{
		ObjectMeta: h,
		Spec: core.PodSpec{
			NodeName: p.Spec.NodeName, ServiceAccountName: p.Spec.ServiceAccountName, HostNetwork: p.Spec.HostNetwork,
			Containers: ports(p.Spec.Containers), InitContainers: ports(p.Spec.InitContainers),
		},
		Status: core.PodStatus{Phase: p.Status.Phase, PodIPs: p.Status.PodIPs},
	}
}

// ports are the named ports of containers, without the containers.
func ports(in []core.Container) []core.Container {
	var out []core.Container
	for _, c := range in {
		for _, p := range c.Ports {
			if p.Name != "" {
				out = append(out, core.Container{Ports: []core.ContainerPort{{Name: p.Name, ContainerPort: p.ContainerPort, Protocol: p.Protocol}}})
			}
		}
	}
	return out
}
