package file

import (
	"math"
	"net/netip"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
)

// document is a catalog as written: values with their places, nothing resolved.
type document struct {
	trustDomain string
	services    []serviceDoc
	workloads   []workloadDoc
	ranges      struct{ services, pods []netip.Prefix }
	accounts    []text
	namespaces  []catalog.Namespace
}

type serviceDoc struct {
	name      text
	id        ir.ServiceID
	vips      []address
	headless  bool
	spread    bool
	ports     []catalog.ServicePort
	endpoints []endpointDoc
	faulty    bool // something in it could not be read
	at        diag.Span
}

type workloadDoc struct {
	name      text
	identity  text
	addresses []address
	meshed    bool
	services  []text
	locality  catalog.Locality
	explicit  explicitDoc
	at        diag.Span
}

type endpointDoc struct {
	workload text
	address  address
	ports    []portMapping
	hostname text
	locality *catalog.Locality
	weight   uint32
	health   catalog.Health
	at       diag.Span
}

type portMapping struct {
	from, to uint16
	at       diag.Span
}

func (r *reader) catalog(n *yaml.Node) document {
	d := document{trustDomain: DefaultTrustDomain}
	if !r.isCatalog(n) {
		return d
	}
	ignore := func(*yaml.Node) {}
	r.fields(n, "the catalog",
		field{"apiVersion", true, ignore},
		field{"kind", true, ignore},
		field{"metadata", false, func(n *yaml.Node) {
			r.fields(n, "metadata", field{"name", false, func(n *yaml.Node) { r.text(n, "the catalog's name") }})
		}},
		field{"spec", true, func(n *yaml.Node) { r.spec(n, &d) }})
	return d
}

// isCatalog looks at the head first: what is not a catalog at all gets one
// finding, not one for each field.
func (r *reader) isCatalog(n *yaml.Node) bool {
	var head struct {
		APIVersion string `yaml:"apiVersion"`
		Kind       string `yaml:"kind"`
	}
	if n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			switch v := n.Content[i+1].Value; n.Content[i].Value {
			case "apiVersion":
				head.APIVersion = v
			case "kind":
				head.Kind = v
			}
		}
	}
	if head.APIVersion == APIVersion && head.Kind == Kind {
		return true
	}
	r.report(diag.New("MSH4501", r.span(n), "this is not a catalog: apiVersion %q, kind %q", head.APIVersion, head.Kind).
		WithHelp("a catalog begins with `apiVersion: %s` and `kind: %s`", APIVersion, Kind))
	return false
}

func (r *reader) spec(n *yaml.Node, d *document) {
	r.fields(n, "spec",
		field{"trustDomain", false, func(n *yaml.Node) {
			t := r.text(n, "trustDomain")
			if !ir.ValidTrustDomain(t.s) {
				r.report(diag.New("MSH4506", t.at, "%q is not a trust domain", t.s).WithHelp("lower-case letters, digits, dots, dashes, underscores"))
				return
			}
			d.trustDomain = t.s
		}},
		field{"ranges", false, func(n *yaml.Node) {
			r.fields(n, "ranges",
				field{"services", false, func(n *yaml.Node) { d.ranges.services = r.prefixes(n, "ranges.services") }},
				field{"pods", false, func(n *yaml.Node) { d.ranges.pods = r.prefixes(n, "ranges.pods") }})
		}},
		field{"namespaces", false, func(n *yaml.Node) { d.namespaces = r.namespaces(n) }},
		field{"accounts", false, func(n *yaml.Node) {
			r.list(n, "accounts", func(n *yaml.Node) { d.accounts = append(d.accounts, r.text(n, "an account")) })
		}},
		field{"workloads", false, func(n *yaml.Node) {
			r.list(n, "workloads", func(n *yaml.Node) { d.workloads = append(d.workloads, r.workload(n)) })
		}},
		field{"services", false, func(n *yaml.Node) {
			r.list(n, "services", func(n *yaml.Node) { d.services = append(d.services, r.service(n)) })
		}})
}

func (r *reader) workload(n *yaml.Node) workloadDoc {
	w := workloadDoc{meshed: true, at: r.span(n)}
	r.fields(n, "the workload",
		field{"name", true, func(n *yaml.Node) { w.name = r.named(n, "the workload's name") }},
		field{"identity", false, func(n *yaml.Node) { w.identity = r.text(n, "identity") }},
		field{"addresses", false, func(n *yaml.Node) { w.addresses = r.addresses(n, "addresses") }},
		field{"meshed", false, func(n *yaml.Node) { r.flag(n, "meshed", &w.meshed) }},
		field{"services", false, func(n *yaml.Node) {
			r.list(n, "services", func(n *yaml.Node) { w.services = append(w.services, r.named(n, "a service")) })
		}},
		field{"locality", false, func(n *yaml.Node) { w.locality = r.locality(n) }},
		field{"intercept", false, func(n *yaml.Node) { w.explicit.intercept = r.intercept(n) }},
		field{"upstreams", false, func(n *yaml.Node) { w.explicit.upstreams = r.upstreams(n) }},
		field{"localPorts", false, func(n *yaml.Node) {
			w.explicit.local = r.mappings(n, "localPorts", "a map from a target port to the port on loopback")
		}})
	return w
}

func (r *reader) service(n *yaml.Node) serviceDoc {
	s, before := serviceDoc{at: r.span(n)}, len(r.findings)
	r.fields(n, "the service",
		field{"name", true, func(n *yaml.Node) {
			s.name = r.named(n, "the service's name")
			s.id.Namespace, s.id.Name, _ = strings.Cut(s.name.s, "/")
			if strings.ContainsAny(s.id.Name, ".") {
				r.report(diag.New("MSH4512", s.name.at, "the service's name %q holds a dot", s.name.s))
			}
		}},
		field{"vips", false, func(n *yaml.Node) { s.vips = r.addresses(n, "vips") }},
		field{"headless", false, func(n *yaml.Node) { r.flag(n, "headless", &s.headless) }},
		field{"spread", false, func(n *yaml.Node) { r.flag(n, "spread", &s.spread) }},
		field{"ports", true, func(n *yaml.Node) { s.ports = r.servicePorts(n) }},
		field{"endpoints", false, func(n *yaml.Node) {
			r.list(n, "endpoints", func(n *yaml.Node) { s.endpoints = append(s.endpoints, r.endpoint(n)) })
		}})
	s.faulty = len(r.findings) > before
	return s
}

func (r *reader) servicePorts(n *yaml.Node) (ports []catalog.ServicePort) {
	seen := map[uint16]diag.Span{}
	r.list(n, "ports", func(n *yaml.Node) {
		var p catalog.ServicePort
		r.fields(n, "the port",
			field{"port", true, func(n *yaml.Node) { p.Port = r.port(n, "port") }},
			field{"name", false, func(n *yaml.Node) { p.Name = r.portName(n) }},
			field{"protocol", false, func(n *yaml.Node) { p.Protocol = ir.Protocol(r.choice(n, "protocol", protocols)) }},
			field{"targetPort", false, func(n *yaml.Node) { p.TargetPort = r.port(n, "targetPort") }})
		if p.Protocol == "" {
			p.Protocol, _ = ir.PortProtocol("", "", p.Name)
		}
		if p.TargetPort == 0 {
			p.TargetPort = p.Port
		}
		if first, dup := seen[p.Port]; dup && p.Port != 0 {
			r.report(diag.New("MSH4504", r.span(n), "port %d stands twice in the service", p.Port).WithRelated(first, "first here"))
			return
		}
		seen[p.Port] = r.span(n)
		ports = append(ports, p)
	})
	return ports
}

func (r *reader) endpoint(n *yaml.Node) endpointDoc {
	e := endpointDoc{at: r.span(n)}
	r.fields(n, "the endpoint",
		field{"workload", false, func(n *yaml.Node) { e.workload = r.text(n, "workload") }},
		field{"address", false, func(n *yaml.Node) { e.address = r.address(n, "address") }},
		field{"ports", false, func(n *yaml.Node) {
			e.ports = r.mappings(n, "ports of an endpoint", "a map from the service's port to this endpoint's")
		}},
		field{"hostname", false, func(n *yaml.Node) { e.hostname = r.text(n, "hostname") }},
		field{"locality", false, func(n *yaml.Node) { l := r.locality(n); e.locality = &l }},
		field{"weight", false, func(n *yaml.Node) { e.weight = uint32(r.number(n, "weight", 1, math.MaxUint32)) }},
		field{"health", false, func(n *yaml.Node) {
			if h := r.choice(n, "health", []string{"healthy", string(catalog.Unhealthy), string(catalog.Draining)}); h != "healthy" {
				e.health = catalog.Health(h)
			}
		}})
	if e.hostname.s != "" && !label(e.hostname.s, false) {
		r.report(diag.New("MSH4512", e.hostname.at, "the hostname %q is not a DNS label", e.hostname.s))
	}
	return e
}
