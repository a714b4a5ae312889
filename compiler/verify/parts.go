package verify

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/meshc/meshc/compiler/ir"
)

// parts are a plan's resources, each read at most once, when it is asked for.
type parts struct {
	plan  *ir.Plan
	cells []atomic.Pointer[part] // as plan.Resources
}

// part is what was read of a resource.
type part struct {
	once sync.Once
	read any
	err  error
}

func newParts(plan *ir.Plan) *parts {
	return &parts{plan: plan, cells: make([]atomic.Pointer[part], len(plan.Resources))}
}

func (p *parts) listener(ref ir.Ref) (*listener, error)  { return partOf(p, ref, readListener) }
func (p *parts) chain(ref ir.Ref) (*chain, error)        { return partOf(p, ref, readChain) }
func (p *parts) route(ref ir.Ref) (*routes, error)       { return partOf(p, ref, readRoutes) }
func (p *parts) cluster(ref ir.Ref) (*cluster, error)    { return partOf(p, ref, readCluster) }
func (p *parts) extension(ref ir.Ref) (extension, error) { return partOf(p, ref, readExtension) }
func (p *parts) name(ref ir.Ref) string                  { return p.plan.Resources[ref].Name }
func (p *parts) named(ref ir.Ref, name string) bool      { return ref != ir.NoRef && p.name(ref) == name }

// partOf reads a resource of the type that checkRefs has made sure of.
func partOf[T any](p *parts, ref ir.Ref, read func([]byte) (T, error)) (T, error) {
	at := p.cells[ref].Load()
	if at == nil {
		if at = new(part); !p.cells[ref].CompareAndSwap(nil, at) {
			at = p.cells[ref].Load()
		}
	}
	at.once.Do(func() {
		r := &p.plan.Resources[ref]
		t, err := read(r.Body)
		at.read, at.err = t, inside(err, "%s %s", r.Type, r.Name)
	})
	if at.err != nil {
		var none T
		return none, at.err
	}
	return at.read.(T), nil
}

// check reads a resource for the sake of the error.
func (p *parts) check(ref ir.Ref) error {
	var err error
	switch p.plan.Resources[ref].Type {
	case ir.TypeListener:
		_, err = p.listener(ref)
	case ir.TypeChain:
		_, err = p.chain(ref)
	case ir.TypeRoute:
		_, err = p.route(ref)
	case ir.TypeCluster:
		_, err = p.cluster(ref)
	case ir.TypeExtension:
		_, err = p.extension(ref)
	default:
		err = fmt.Errorf("resource %d is of a type that is not understood", ref)
	}
	return err
}

// Check reads everything the plan holds.
func (m *Mesh) Check() error {
	for i := range m.plan.Resources {
		if err := m.parts.check(ir.Ref(i)); err != nil {
			return err
		}
	}
	for i := range m.plan.Scopes {
		if err := m.checkScope(&m.plan.Scopes[i]); err != nil {
			return err
		}
	}
	for i := range m.plan.Roles {
		if _, err := m.role(i); err != nil {
			return err
		}
	}
	return nil
}

// checkScope makes sure that what a scope lists is there.
func (m *Mesh) checkScope(s *ir.Scope) error {
	if _, err := m.virtual(s); err != nil {
		return err
	}
	for _, id := range s.Outbound {
		o, ok := m.outbound(id)
		if !ok {
			return fmt.Errorf("a scope lists %s, which has no listener", id)
		}
		for _, c := range o.Clusters {
			if _, ok := m.cluster(c); !ok {
				return fmt.Errorf("%s sends to %s, which has no cluster", id, c)
			}
		}
	}
	return nil
}
