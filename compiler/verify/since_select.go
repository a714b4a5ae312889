package verify

import (
	"fmt"

	"github.com/meshc/meshc/compiler/ir"
)

// services is a set of them: mostly of very few, which are looked for quicker
// than by a map.
type services struct {
	all  []ir.ServiceID
	many map[ir.ServiceID]bool
}

const fewServices = 8

func (s *services) has(id ir.ServiceID) bool {
	if s.many != nil {
		return s.many[id]
	}
	for i := range s.all {
		if s.all[i].Name == id.Name && s.all[i].Namespace == id.Namespace {
			return true
		}
	}
	return false
}

func (s *services) add(id ir.ServiceID) {
	if s.has(id) {
		return
	}
	s.all = append(s.all, id)
	if s.many == nil && len(s.all) > fewServices {
		s.many = map[ir.ServiceID]bool{}
		for _, known := range s.all {
			s.many[known] = true
		}
	}
	if s.many != nil {
		s.many[id] = true
	}
}

// selection is what the difference touches.
func (d *difference) selection() selection {
	var sel selection
	for i := range d.mesh.Services {
		if d.touched.has(d.mesh.Services[i].ID) {
			sel.ports = append(sel.ports, i)
		}
	}
	if len(sel.ports)*8 > len(d.mesh.Services) && len(sel.ports) > 8 {
		return everything(d.mesh, d.plan)
	}
	sel.few, sel.egress = true, d.egress
	for i := range d.plan.Roles {
		if d.roles[i] {
			sel.roles = append(sel.roles, i)
		}
	}
	if !d.egress { // who may leave is asked about any service port
		sel.near = d.nearby(sel.roles).has
	}
	sel.check = d.check
	return sel
}

// nearby are the services that a call to what is asked about can come to.
func (d *difference) nearby(roles []int) *services {
	near := &services{}
	for _, s := range d.touched.all {
		near.add(s)
	}
	for _, i := range roles {
		for j := range d.plan.Roles[i].Ports {
			for _, p := range d.plan.Roles[i].Ports[j].Services {
				near.add(p.Service)
			}
		}
	}
	var leaves []ir.ServiceID
	for i := range d.mesh.Splits {
		if s := &d.mesh.Splits[i]; near.has(s.Root) {
			for _, b := range s.Backends {
				leaves = append(leaves, b.Service)
			}
		}
	}
	for _, s := range leaves {
		near.add(s)
	}
	return near
}

// check reads what is new, and looks for scopes that list what has gone.
func (d *difference) check(m *Mesh) error {
	for i, was := range d.was {
		if was == ir.NoRef {
			if err := m.parts.check(ir.Ref(i)); err != nil {
				return err
			}
		}
	}
	for i := range d.plan.Scopes {
		if d.scopes[i] {
			if err := m.checkScope(&d.plan.Scopes[i]); err != nil {
				return err
			}
		}
	}
	for i := range d.plan.Roles {
		if d.roles[i] {
			if _, err := m.role(i); err != nil {
				return err
			}
		}
	}
	return d.gone(m)
}

// gone finds a scope that lists a service port without a listener, or a listener
// that leads to a service port without a cluster.
func (d *difference) gone(m *Mesh) error {
	for i := range d.plan0.Outbound {
		id := d.plan0.Outbound[i].Port
		if !d.touched.has(id.Service) {
			continue
		}
		if _, ok := m.outbound(id); !ok && len(m.find.lists(id)) > 0 {
			return fmt.Errorf("a scope lists %s, which has no listener", id)
		}
	}
	for i := range d.plan.Outbound {
		o := &d.plan.Outbound[i]
		if !d.touched.has(o.Port.Service) {
			continue
		}
		for _, c := range o.Clusters {
			if _, ok := m.cluster(c); !ok {
				return fmt.Errorf("%s sends to %s, which has no cluster", o.Port, c)
			}
		}
	}
	return nil
}
