package syntax

import "go.yaml.in/yaml/v3"

func decodeNamespace(d *decoder, _ *record) { d.obj.NamespaceObject = &NamespaceObject{} }

func decodeAccount(d *decoder, _ *record) { d.obj.ServiceAccount = &ServiceAccount{} }

func decodeService(d *decoder, root *record) {
	spec := root.quiet("spec")
	s := &Service{
		Type:         spec.quietGet("type").quietText(),
		ClusterIP:    spec.quietGet("clusterIP").quietText(),
		ClusterIPs:   spec.quietGet("clusterIPs").quietStrings(),
		ExternalName: spec.quietGet("externalName").quietText(),
		Selector:     spec.quietGet("selector").quietMap(),
	}
	if s.Type == "" {
		s.Type = "ClusterIP"
	}
	if s.ClusterIP == "" && len(s.ClusterIPs) > 0 {
		s.ClusterIP = s.ClusterIPs[0]
	}
	for _, p := range spec.quietGet("ports").quietItems() {
		s.Ports = append(s.Ports, servicePort(p))
	}
	d.obj.Service = s
	if spec == nil {
		root.missing("spec")
	}
}

func servicePort(p *cursor) ServicePort {
	out := ServicePort{
		Name:        p.quietGet("name").quietText(),
		Protocol:    p.quietGet("protocol").quietText(),
		AppProtocol: p.quietGet("appProtocol").quietText(),
	}
	if p.n.Kind != yaml.MappingNode {
		return out // a finding already
	}
	if out.Protocol == "" {
		out.Protocol = "TCP"
	}
	if port := p.quietGet("port"); port == nil {
		(&record{c: p}).missing("port")
	} else {
		out.Port = port.quietPort()
	}
	if target := p.quietGet("targetPort"); target != nil {
		if _, whole := wholeNumber(target.n); whole {
			out.TargetPort = target.quietPort()
		} else {
			out.TargetName = target.quietText()
		}
	}
	return out
}

// quietPort checks the range alone; the type was judged.
func (c *cursor) quietPort() int64 {
	if c == nil {
		return 0
	}
	if _, whole := wholeNumber(c.n); !whole {
		return 0
	}
	return c.port()
}
