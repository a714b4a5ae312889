package link

import (
	"sync"

	"google.golang.org/protobuf/types/known/anypb"

	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/ir"
)

// static is what follows from the bundle alone; all worlds of a bundle share it.
type static struct {
	bundle   *bundle.Bundle
	plan     *ir.Plan
	base     []*Resource // by Ref; nil for filter chains
	services []planService
	// serviceAt, clusterAt and portAt lead from names to places in services.
	serviceAt map[ir.ServiceID]int
	clusterAt map[string]place
	portAt    map[ir.PortID]place
	scopeOf   map[ir.Identity]int
	roleOf    map[string]*ir.RolePlan // by role name
	rolesOf   map[ir.Identity][]*ir.RolePlan
	known     map[ir.ServiceID]bool // services of the mesh
	relied    relied

	mu    sync.Mutex
	roles map[string]*part // inbound parts by role name and target ports
	good  map[string]*part // inbound parts that workloads have, by role name and workload
	withholding
}

// place is an index into static.services, and one into its clusters or ports.
type place struct{ service, port int }

// planService is what a plan says of one service.
type planService struct {
	id       ir.ServiceID
	clusters []planCluster
	ports    []planPort
}

type planCluster struct {
	*ir.Cluster
	name    string
	port    ir.Port // as compiled; zero if the mesh has no such port (a backend that does not exist)
	outside bool    // none of the service's workloads was meshed: no mTLS
}

// planPort is an outbound port with its resources.
type planPort struct {
	*ir.OutboundPort
	listener, route, extension, direct *Resource
	clusters                           []*Resource // of its route or tcp_proxy
}

var served = map[ir.ResourceType]Type{
	ir.TypeListener: Listener, ir.TypeRoute: Route, ir.TypeCluster: Cluster, ir.TypeExtension: Extension,
}

func newStatic(b *bundle.Bundle) *static {
	s := &static{
		bundle: b, plan: b.Plan, base: make([]*Resource, len(b.Plan.Resources)),
		serviceAt: map[ir.ServiceID]int{}, clusterAt: map[string]place{}, portAt: map[ir.PortID]place{}, scopeOf: map[ir.Identity]int{},
		roleOf: map[string]*ir.RolePlan{}, rolesOf: map[ir.Identity][]*ir.RolePlan{},
		known: map[ir.ServiceID]bool{}, relied: reliedOn(b.Mesh), roles: map[string]*part{}, good: map[string]*part{},
	}
	for i, r := range s.plan.Resources {
		if t, ok := served[r.Type]; ok {
			s.base[i] = &Resource{Type: t, Name: r.Name, Version: b.Version(ir.Ref(i)), Any: &anypb.Any{TypeUrl: t.URL(), Value: r.Body}}
		}
	}
	s.indexServices()
	for _, i := range s.plan.Identities {
		s.scopeOf[i.Identity] = i.Scope
	}
	for i := range s.plan.Roles {
		r := &s.plan.Roles[i]
		s.roleOf[ir.RoleName(r.Identity, r.Services)] = r
		s.rolesOf[r.Identity] = append(s.rolesOf[r.Identity], r)
	}
	for _, svc := range b.Mesh.Services {
		s.known[svc.ID] = true
	}
	return s
}

// resource is a reference's resource, nil for NoRef.
func (s *static) resource(r ir.Ref) *Resource {
	if r < 0 {
		return nil
	}
	return s.base[r]
}

// indexServices gathers clusters and outbound ports by service.
func (s *static) indexServices() {
	service := func(id ir.ServiceID) int {
		if _, ok := s.serviceAt[id]; !ok {
			s.serviceAt[id] = len(s.services)
			s.services = append(s.services, planService{id: id})
		}
		return s.serviceAt[id]
	}
	clusters := map[ir.PortID]*Resource{}
	for i := range s.plan.Clusters {
		c := &s.plan.Clusters[i]
		r := s.resource(c.Resource)
		n := service(c.Port.Service)
		clusters[c.Port] = r
		s.clusterAt[r.Name] = place{n, len(s.services[n].clusters)}
		s.services[n].clusters = append(s.services[n].clusters, s.cluster(c, r.Name))
	}
	for i := range s.plan.Outbound {
		o := &s.plan.Outbound[i]
		p := planPort{OutboundPort: o, listener: s.resource(o.Listener), route: s.resource(o.Route), extension: s.resource(o.Extension), direct: s.resource(o.Direct)}
		var needs []string
		for _, c := range o.Clusters {
			r := clusters[c] // a bundle is refused if it lacks one
			p.clusters = append(p.clusters, r)
			needs = append(needs, r.Name)
		}
		if p.direct != nil {
			needs = append(needs, p.direct.Name)
		}
		for _, r := range []*Resource{p.route, p.extension} {
			if r != nil {
				r.Needs = needs
			}
		}
		n := service(o.Port.Service)
		s.portAt[o.Port] = place{n, len(s.services[n].ports)}
		s.services[n].ports = append(s.services[n].ports, p)
	}
}

func (s *static) cluster(c *ir.Cluster, name string) planCluster {
	out := planCluster{Cluster: c, name: name}
	if svc, ok := s.bundle.Mesh.Service(c.Port.Service); ok {
		out.outside = svc.Outside
		if p, ok := svc.Port(c.Port.Port); ok {
			out.port = *p
		}
	}
	return out
}
