package live

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/meshc/meshc/catalog/kube"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// record is a piece of a document.
type record = map[string]any

// facts are the documents of what runs in a namespace, of all clusters: what the
// compiler may rely on. Pods that are alike in all that it reads are one document, so
// that pods may come and go and nothing is compiled. keys are the labels that policy
// selects pods by, beside what services do.
func facts(ns string, clusters []*kube.Objects, rules kube.Rules, keys []string) map[syntax.Name][]byte {
	out := map[syntax.Name][]byte{}
	put := func(kind, name string, doc record) {
		n := syntax.Name{Kind: kind, Namespace: ns, Name: name}
		if kind == "Namespace" {
			n.Namespace = ""
		}
		if _, first := out[n]; first {
			return // the mesh's own cluster comes first
		}
		data, _ := json.Marshal(doc) // maps, texts and numbers always marshal
		out[n] = data
	}
	read := readLabels(clusters, keys)
	injected := false
	for _, o := range clusters {
		for _, s := range o.Services {
			put("Service", s.Name, serviceDocument(s))
		}
		for _, a := range o.Accounts {
			put("ServiceAccount", a, header("ServiceAccount", ns, a))
		}
		for _, p := range o.Pods {
			meshed := rules.Meshed(o, p)
			injected = injected || meshed
			name, doc := podDocument(p, meshed, read)
			put("Pod", name, doc)
		}
	}
	for _, o := range clusters {
		if o.Exists {
			put("Namespace", ns, namespaceDocument(o, rules, injected))
		}
	}
	return out
}

// readLabels are the labels of pods that anything selects by.
func readLabels(clusters []*kube.Objects, keys []string) map[string]bool {
	read := map[string]bool{}
	for _, k := range keys {
		read[k] = true
	}
	for _, o := range clusters {
		for _, s := range o.Services {
			for k := range s.Spec.Selector {
				read[k] = true
			}
		}
	}
	return read
}

func header(kind, ns, name string) record {
	meta := record{"name": name}
	if ns != "" {
		meta["namespace"] = ns
	}
	return record{"apiVersion": "v1", "kind": kind, "metadata": meta}
}

// namespaceDocument: what runs in a namespace that is not the mesh's is outside.
func namespaceDocument(o *kube.Objects, rules kube.Rules, injected bool) record {
	doc := header("Namespace", "", o.Name)
	labels := record{}
	if mesh := rules.MeshOf(o); mesh != "" {
		labels[ir.LabelMesh] = mesh
	} else if !injected {
		labels[ir.LabelInject] = "disabled"
	}
	doc["metadata"].(record)["labels"] = labels
	return doc
}

func serviceDocument(s *core.Service) record {
	doc := header("Service", s.Namespace, s.Name)
	if v, ok := s.Annotations[kube.AnnotationPlaintext]; ok {
		doc["metadata"].(record)["annotations"] = record{kube.AnnotationPlaintext: v}
	}
	spec := record{}
	if s.Spec.Type == core.ServiceTypeExternalName {
		spec["type"], spec["externalName"] = "ExternalName", s.Spec.ExternalName
	}
	if s.Spec.ClusterIP == core.ClusterIPNone {
		spec["clusterIP"] = core.ClusterIPNone
	}
	if len(s.Spec.Selector) > 0 {
		spec["selector"] = s.Spec.Selector
	}
	var ports []any
	for _, p := range s.Spec.Ports {
		port := record{"port": p.Port, "protocol": cmp.Or(p.Protocol, core.ProtocolTCP)}
		if p.Name != "" {
			port["name"] = p.Name
		}
		if p.AppProtocol != nil {
			port["appProtocol"] = *p.AppProtocol
		}
		switch target := p.TargetPort; {
		case target.Type == intstr.String && target.StrVal != "":
			port["targetPort"] = target.StrVal
		case target.IntVal > 0:
			port["targetPort"] = target.IntVal
		}
		ports = append(ports, port)
	}
	if ports != nil {
		spec["ports"] = ports
	}
	doc["spec"] = spec
	return doc
}

// podDocument is what the compiler reads of a pod, named by what it says: equal for
// all pods that are alike.
func podDocument(p *core.Pod, meshed bool, read map[string]bool) (string, record) {
	labels := map[string]string{}
	for k := range read {
		if v, ok := p.Labels[k]; ok {
			labels[k] = v
		}
	}
	delete(labels, ir.LabelInject)
	if !meshed {
		labels[ir.LabelInject] = "disabled" // whoever said so: nothing intercepts it
	}
	account := cmp.Or(p.Spec.ServiceAccountName, "default")
	spec := record{"serviceAccountName": account, "containers": []any{record{"name": "app", "image": "app", "ports": portsOf(p)}}}
	if p.Spec.HostNetwork {
		spec["hostNetwork"] = true
	}
	said, _ := json.Marshal([]any{labels, spec}) // maps, texts and numbers always marshal
	sum := sha256.Sum256(said)
	name := account + "-" + hex.EncodeToString(sum[:5])
	doc := header("Pod", p.Namespace, name)
	if len(labels) > 0 {
		doc["metadata"].(record)["labels"] = labels
	}
	doc["spec"] = spec
	return name, doc
}

// portsOf are the named ports of a pod: by number no container needs to declare any.
func portsOf(p *core.Pod) []any {
	named := map[string]record{}
	for _, list := range [][]core.Container{p.Spec.Containers, p.Spec.InitContainers} {
		for _, c := range list {
			for _, port := range c.Ports {
				transport := cmp.Or(port.Protocol, core.ProtocolTCP)
				key := port.Name + "/" + string(transport)
				if _, first := named[key]; !first && port.Name != "" {
					named[key] = record{"name": port.Name, "containerPort": port.ContainerPort, "protocol": transport}
				}
			}
		}
	}
	out := []any{}
	for _, key := range slices.Sorted(maps.Keys(named)) {
		out = append(out, named[key])
	}
	return out
}
