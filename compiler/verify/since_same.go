package verify

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/meshc/meshc/compiler/ir"
)

// The parts of a mesh are compared field by field, quicker than by reflection;
// a test makes sure that no field is forgotten.

func sameSettings(a, b ir.Settings) bool { return reflect.DeepEqual(a, b) }

func sameService(a, b *ir.Service) bool {
	return a.ID == b.ID && a.Headless == b.Headless && a.Outside == b.Outside && slices.Equal(a.Accounts, b.Accounts) && slices.Equal(a.Ports, b.Ports)
}

func sameRole(a, b *ir.Role) bool {
	return a.Identity == b.Identity && slices.Equal(a.Services, b.Services) && slices.EqualFunc(a.Ports, b.Ports, func(x, y ir.InboundPort) bool {
		return x.TargetPort == y.TargetPort && x.TargetName == y.TargetName && x.Protocol == y.Protocol && x.Plaintext == y.Plaintext &&
			slices.Equal(x.Services, y.Services)
	})
}

func sameGrant(a, b *ir.Grant) bool {
	return a.Name == b.Name && a.Destination == b.Destination && slices.Equal(a.Sources, b.Sources) && slices.Equal(a.Ports, b.Ports) &&
		slices.EqualFunc(a.HTTP, b.HTTP, sameMatch)
}

func sameMatch(a, b ir.Match) bool {
	return a.Name == b.Name && a.Path == b.Path && slices.Equal(a.Methods, b.Methods) && slices.Equal(a.Headers, b.Headers)
}

func sameSplit(a, b *ir.Split) bool {
	return a.Name == b.Name && a.Root == b.Root && slices.EqualFunc(a.Matches, b.Matches, sameMatch) &&
		slices.EqualFunc(a.Backends, b.Backends, func(x, y ir.Backend) bool {
			return x.Service == y.Service && x.Weight == y.Weight && x.Missing == y.Missing && slices.Equal(x.Ports, y.Ports)
		})
}

// selection is what the difference touches.
func (d *difference) selection() selection {
	var sel selection
	for i := range d.mesh.Services {
		if d.touched[d.mesh.Services[i].ID] {
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
	near := d.nearby(sel.roles)
	sel.near = func(s ir.ServiceID) bool { return near[s] }
	sel.check = d.check
	return sel
}

// nearby are the services that a call to what is asked about can come to.
func (d *difference) nearby(roles []int) map[ir.ServiceID]bool {
	near := make(map[ir.ServiceID]bool, len(d.touched))
	for s := range d.touched {
		near[s] = true
	}
	for _, i := range roles {
		for j := range d.plan.Roles[i].Ports {
			for _, p := range d.plan.Roles[i].Ports[j].Services {
				near[p.Service] = true
			}
		}
	}
	var leaves []ir.ServiceID
	for i := range d.mesh.Splits {
		if s := &d.mesh.Splits[i]; near[s.Root] {
			for _, b := range s.Backends {
				leaves = append(leaves, b.Service)
			}
		}
	}
	for _, s := range leaves {
		near[s] = true
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
		if !d.touched[id.Service] {
			continue
		}
		if _, ok := m.outbound(id); !ok && len(m.find.lists(id)) > 0 {
			return fmt.Errorf("a scope lists %s, which has no listener", id)
		}
	}
	for i := range d.plan.Outbound {
		o := &d.plan.Outbound[i]
		if !d.touched[o.Port.Service] {
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
