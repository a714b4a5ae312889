package resolve

import (
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// What others may ask of a session, as they would ask of a mesh and its objects:
// a remembered function of the same graph that asks is run again when the answer
// becomes another.

// Config is the configuration the session was started with.
func (s *Session) Config() *syntax.Config { return s.config }

// Settings are the mesh-wide settings.
func (s *Session) Settings() ir.Settings { return s.settings }

// Policy is the settings in force in a namespace.
func (s *Session) Policy(namespace string) ir.Namespace { return s.policy(namespace) }

// Places are the namespaces that may hold anything, sorted.
func (s *Session) Places() []string { return s.spaces.Get(struct{}{}) }

// Service finds a service of the mesh; nil: there is none.
func (s *Session) Service(id ir.ServiceID) *ir.Service {
	return s.offer.Get(id)
}

// Services are those of a namespace, in order.
func (s *Session) Services(namespace string) []ir.ServiceID { return s.servicesIn(namespace) }

// Targets are those of a namespace, in order of name.
func (s *Session) Targets(namespace string) []ir.ServiceID { return s.targets.Get(namespace) }

// Grants are those of a target.
func (s *Session) Grants(target ir.ServiceID) []ir.Grant { return s.given.Get(target) }

// Splits are those of a namespace, in order of name.
func (s *Session) Splits(namespace string) []ir.Split { return s.divided.Get(namespace) }

// Objects are those of a kind in a namespace, in order of name.
func (s *Session) Objects(kind, namespace string) []*syntax.Object { return s.of(kind, namespace) }

// Object is the first of a name; nil: there is none.
func (s *Session) Object(kind, namespace, name string) *syntax.Object {
	o, _ := s.find(kind, namespace, name)
	return o
}

// Called are all objects of a name, in order of position.
func (s *Session) Called(kind, namespace, name string) []*syntax.Object {
	return s.named.Get(syntax.Name{Kind: kind, Namespace: namespace, Name: name})
}

// Fact is where the known fact of a service stands that no object shows.
func (s *Session) Fact(id ir.ServiceID) diag.Span {
	if svc := s.ports.Get(id); svc != nil && svc.obj == nil {
		return svc.fact.At
	}
	return diag.Span{}
}
