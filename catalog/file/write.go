package file

import (
	"bytes"
	"fmt"
	"net/netip"
	"reflect"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/compiler/ir"
)

// The written form. Order of fields is order of lines.
type (
	outFile struct {
		APIVersion string  `yaml:"apiVersion"`
		Kind       string  `yaml:"kind"`
		Spec       outSpec `yaml:"spec"`
	}
	outSpec struct {
		TrustDomain string         `yaml:"trustDomain"`
		Ranges      *outRanges     `yaml:"ranges,omitempty"`
		Namespaces  []outNamespace `yaml:"namespaces,omitempty"`
		Accounts    []string       `yaml:"accounts,omitempty"`
		Workloads   []outWorkload  `yaml:"workloads,omitempty"`
		Services    []outService   `yaml:"services,omitempty"`
	}
	outRanges struct {
		Services []string `yaml:"services,omitempty,flow"`
		Pods     []string `yaml:"pods,omitempty,flow"`
	}
	outWorkload struct {
		Name      string       `yaml:"name"`
		Identity  string       `yaml:"identity,omitempty"`
		Addresses []string     `yaml:"addresses,omitempty,flow"`
		Meshed    *bool        `yaml:"meshed,omitempty"`
		Services  []string     `yaml:"services,omitempty,flow"`
		Locality  *outLocality `yaml:"locality,omitempty,flow"`

		Intercept  *bool             `yaml:"intercept,omitempty"`
		Upstreams  []outUpstream     `yaml:"upstreams,omitempty"`
		LocalPorts map[uint16]uint16 `yaml:"localPorts,omitempty,flow"`
	}
	outUpstream struct {
		Service string `yaml:"service"`
		Port    uint16 `yaml:"port"`
		Bind    string `yaml:"bind"`
	}
	outService struct {
		Name      string        `yaml:"name"`
		VIPs      []string      `yaml:"vips,omitempty,flow"`
		Headless  bool          `yaml:"headless,omitempty"`
		Spread    bool          `yaml:"spread,omitempty"`
		Ports     []outPort     `yaml:"ports"`
		Endpoints []outEndpoint `yaml:"endpoints,omitempty"`
	}
	outPort struct {
		Port       uint16 `yaml:"port"`
		Name       string `yaml:"name,omitempty"`
		Protocol   string `yaml:"protocol"`
		TargetPort uint16 `yaml:"targetPort,omitempty"`
	}
	outEndpoint struct {
		Workload string            `yaml:"workload,omitempty"`
		Address  string            `yaml:"address"`
		Ports    map[uint16]uint16 `yaml:"ports,omitempty,flow"`
		Hostname string            `yaml:"hostname,omitempty"`
		Locality *outLocality      `yaml:"locality,omitempty,flow"`
		Weight   uint32            `yaml:"weight,omitempty"`
		Health   string            `yaml:"health,omitempty"`
	}
	outLocality struct {
		Region  string `yaml:"region,omitempty"`
		Zone    string `yaml:"zone,omitempty"`
		SubZone string `yaml:"subZone,omitempty"`
	}
)

// Marshal writes a snapshot as a catalog file that reads back as an equal
// snapshot. It fails for a snapshot that no file can say.
func Marshal(s *catalog.Snapshot) ([]byte, error) {
	domain := trustDomain(s)
	out := outFile{APIVersion: APIVersion, Kind: Kind, Spec: outSpec{TrustDomain: domain}}
	if len(s.ServiceRanges)+len(s.PodRanges) > 0 {
		out.Spec.Ranges = &outRanges{strs(s.ServiceRanges), strs(s.PodRanges)}
	}
	out.Spec.Namespaces, out.Spec.Accounts = existing(s, domain)
	localities := map[string]catalog.Locality{}
	backed := backingOf(s)
	for _, w := range s.Workloads {
		localities[w.Name] = w.Locality
		out.Spec.Workloads = append(out.Spec.Workloads, workload(w, domain, backed.rest(w)))
	}
	for _, svc := range s.Services {
		out.Spec.Services = append(out.Spec.Services, service(svc, localities))
	}
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(out); err != nil {
		return nil, fmt.Errorf("catalog: %w", err)
	}
	return b.Bytes(), readsBack(s, b.Bytes())
}

func workload(w catalog.Workload, domain string, services []string) outWorkload {
	out := outWorkload{
		Name: w.Name, Identity: identity(w.Identity, domain), Addresses: strs(w.Addresses),
		Meshed: ifFalse(w.Meshed), Services: services, Locality: locality(w.Locality),
	}
	if x := w.Explicit; x != nil {
		out.Intercept, out.LocalPorts = ifFalse(false), x.LocalPorts
		for _, u := range x.Upstreams {
			out.Upstreams = append(out.Upstreams, outUpstream{u.Service.String(), u.Port, u.Bind.String()})
		}
	}
	return out
}

// readsBack holds what was written against what was meant: whoever restarts
// from the file must find the same mesh.
func readsBack(s *catalog.Snapshot, data []byte) error {
	again, findings := Parse("catalog", data)
	if again == nil {
		return fmt.Errorf("catalog: a file cannot say this snapshot: %w", &Invalid{findings})
	}
	if !reflect.DeepEqual(again, normal(s)) {
		return fmt.Errorf("catalog: a file cannot say this snapshot: it reads back as another one")
	}
	return nil
}

// normal is a snapshot with every list sorted, empty ones nil.
func normal(s *catalog.Snapshot) *catalog.Snapshot {
	out := &catalog.Snapshot{TrustDomain: trustDomain(s), ServiceRanges: sorted(clip(s.ServiceRanges)), PodRanges: sorted(clip(s.PodRanges)), Namespaces: clip(s.Namespaces), Accounts: clip(s.Accounts)}
	for _, svc := range s.Services {
		svc.VIPs, svc.Ports, svc.Endpoints = clip(svc.VIPs), clip(svc.Ports), clip(svc.Endpoints)
		slices.SortFunc(svc.VIPs, netip.Addr.Compare)
		slices.SortFunc(svc.Ports, func(a, b catalog.ServicePort) int { return int(a.Port) - int(b.Port) })
		slices.SortFunc(svc.Endpoints, func(a, b catalog.Endpoint) int { return a.Address.Compare(b.Address) })
		for i, e := range svc.Endpoints {
			svc.Endpoints[i].Ports = overrides(svc, e)
		}
		out.Services = append(out.Services, svc)
	}
	for _, w := range s.Workloads {
		w.Services, w.Addresses = clip(w.Services), clip(w.Addresses)
		slices.SortFunc(w.Addresses, netip.Addr.Compare)
		out.Workloads = append(out.Workloads, w)
	}
	return out
}

// clip copies, so that sorting leaves the caller's snapshot alone.
func clip[T any](in []T) []T {
	if len(in) == 0 {
		return nil
	}
	return slices.Clone(in)
}

// overrides are the ports that differ from the service's target ports.
func overrides(svc catalog.Service, e catalog.Endpoint) map[uint16]uint16 {
	var out map[uint16]uint16
	for _, p := range svc.Ports {
		if to, ok := e.Ports[p.Port]; ok && to != p.TargetPort {
			if out == nil {
				out = map[uint16]uint16{}
			}
			out[p.Port] = to
		}
	}
	return out
}

func service(svc catalog.Service, localities map[string]catalog.Locality) outService {
	out := outService{Name: svc.ID.String(), VIPs: strs(svc.VIPs), Headless: svc.Headless, Spread: svc.Spread}
	for _, p := range svc.Ports {
		port := outPort{Port: p.Port, Name: p.Name, Protocol: string(p.Protocol)}
		if p.TargetPort != p.Port {
			port.TargetPort = p.TargetPort
		}
		out.Ports = append(out.Ports, port)
	}
	for _, e := range svc.Endpoints {
		ep := outEndpoint{
			Workload: e.Workload, Address: e.Address.String(), Ports: overrides(svc, e),
			Hostname: e.Hostname, Weight: e.Weight, Health: string(e.Health),
		}
		if e.Locality != localities[e.Workload] {
			ep.Locality = locality(e.Locality)
			if ep.Locality == nil {
				ep.Locality = &outLocality{}
			}
		}
		out.Endpoints = append(out.Endpoints, ep)
	}
	return out
}

// trustDomain is the snapshot's; where it has none, that of the first workload
// with an id of the mesh's own form.
func trustDomain(s *catalog.Snapshot) string {
	if s.TrustDomain != "" {
		return s.TrustDomain
	}
	for _, w := range s.Workloads {
		if domain, _, _, ok := w.Identity.Split(); ok {
			return domain
		}
	}
	return DefaultTrustDomain
}

func identity(id ir.Identity, domain string) string {
	if d, ns, sa, ok := id.Split(); ok && d == domain {
		return ns + "/" + sa
	}
	return string(id)
}

func ifFalse(b bool) *bool {
	if b {
		return nil
	}
	return &b
}

func locality(l catalog.Locality) *outLocality {
	if l == (catalog.Locality{}) {
		return nil
	}
	return &outLocality{l.Region, l.Zone, l.SubZone}
}

func strs[T fmt.Stringer](in []T) []string {
	var out []string
	for _, v := range in {
		out = append(out, v.String())
	}
	return out
}
