package verify

import (
	"fmt"
	"sync"

	"github.com/meshc/meshc/compiler/ir"
)

// parts are a plan's resources, each read at most once.
type parts struct {
	listeners  map[ir.Ref]func() (*listener, error)
	chains     map[ir.Ref]func() (*chain, error)
	routes     map[ir.Ref]func() (*routes, error)
	clusters   map[ir.Ref]func() (*cluster, error)
	extensions map[ir.Ref]func() (extension, error)
}

func newParts(plan *ir.Plan) parts {
	return parts{
		listeners:  partsOf(plan, ir.TypeListener, readListener),
		chains:     partsOf(plan, ir.TypeChain, readChain),
		routes:     partsOf(plan, ir.TypeRoute, readRoutes),
		clusters:   partsOf(plan, ir.TypeCluster, readCluster),
		extensions: partsOf(plan, ir.TypeExtension, readExtension),
	}
}

func partsOf[T any](plan *ir.Plan, of ir.ResourceType, read func([]byte) (T, error)) map[ir.Ref]func() (T, error) {
	out := map[ir.Ref]func() (T, error){}
	for i, r := range plan.Resources {
		if r.Type == of {
			out[ir.Ref(i)] = sync.OnceValues(func() (T, error) {
				t, err := read(r.Body)
				return t, inside(err, "%s %s", r.Type, r.Name)
			})
		}
	}
	return out
}

// Check reads everything the plan holds.
func (m *Mesh) Check() error {
	for i := range m.plan.Resources {
		if err := m.parts.check(ir.Ref(i)); err != nil {
			return err
		}
	}
	for _, s := range m.scopes {
		if _, err := s(); err != nil {
			return err
		}
	}
	for _, r := range m.roles {
		if _, err := r(); err != nil {
			return err
		}
	}
	return nil
}

func (p parts) check(ref ir.Ref) error {
	var err error
	if read, ok := p.listeners[ref]; ok {
		_, err = read()
	} else if read, ok := p.chains[ref]; ok {
		_, err = read()
	} else if read, ok := p.routes[ref]; ok {
		_, err = read()
	} else if read, ok := p.clusters[ref]; ok {
		_, err = read()
	} else if read, ok := p.extensions[ref]; ok {
		_, err = read()
	} else {
		err = fmt.Errorf("resource %d is of a type that is not understood", ref)
	}
	return err
}

// checkRefs makes sure that every reference leads to a resource of its type.
func checkRefs(plan *ir.Plan) error {
	var err error
	check := func(of ir.ResourceType, optional bool, refs ...ir.Ref) {
		for _, r := range refs {
			switch {
			case err != nil || r == ir.NoRef && optional:
			case r < 0 || int(r) >= len(plan.Resources):
				err = fmt.Errorf("the plan refers to %s %d, which it does not hold", of, r)
			case plan.Resources[r].Type != of:
				err = fmt.Errorf("the plan refers to %s %s as a %s", plan.Resources[r].Type, plan.Resources[r].Name, of)
			}
		}
	}
	for _, o := range plan.Outbound {
		check(ir.TypeListener, false, o.Listener)
		check(ir.TypeRoute, true, o.Route)
		check(ir.TypeExtension, true, o.Extension)
		check(ir.TypeCluster, true, o.Direct)
	}
	for _, c := range plan.Clusters {
		check(ir.TypeCluster, false, c.Resource)
	}
	for _, s := range plan.Scopes {
		check(ir.TypeListener, false, s.Virtual)
		check(ir.TypeChain, true, s.Ranged)
		check(ir.TypeCluster, false, s.Extra...)
	}
	for _, p := range plan.Identities {
		if err == nil && (p.Scope < 0 || p.Scope >= len(plan.Scopes)) {
			err = fmt.Errorf("the plan gives %s scope %d, which it does not hold", p.Identity, p.Scope)
		}
	}
	for _, r := range plan.Roles {
		check(ir.TypeListener, false, r.Listener)
		for _, p := range r.Ports {
			check(ir.TypeChain, false, p.Chains...)
			check(ir.TypeRoute, true, p.Route)
			check(ir.TypeExtension, true, p.Extension)
		}
	}
	return err
}
