package check

import (
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// still is a world that does not change: a mesh and the objects it came from.
type still struct {
	files   *syntax.Files
	mesh    *ir.Mesh
	named   map[diag.Object][]*syntax.Object
	kinds   map[place][]*syntax.Object // by kind, in the place of the name
	targets map[string][]ir.ServiceID
	grants  map[ir.ServiceID][]ir.Grant
	splits  map[string][]ir.Split
}

func newStill(files *syntax.Files, mesh *ir.Mesh) *still {
	s := &still{
		files: files, mesh: mesh, named: map[diag.Object][]*syntax.Object{}, kinds: map[place][]*syntax.Object{},
		targets: map[string][]ir.ServiceID{}, grants: map[ir.ServiceID][]ir.Grant{}, splits: map[string][]ir.Split{},
	}
	for _, o := range files.Objects {
		name := diag.Object{Kind: o.Kind, Namespace: o.Namespace, Name: o.Name}
		if s.named[name] = append(s.named[name], o); len(s.named[name]) == 1 {
			s.kinds[place{o.Namespace, o.Kind}] = append(s.kinds[place{o.Namespace, o.Kind}], o)
		}
	}
	for _, g := range mesh.Grants {
		kind, rest, _ := strings.Cut(g.Name, "/")
		if kind != "TrafficTarget" {
			continue
		}
		rest, _, _ = strings.Cut(rest, "#")
		ns, name, _ := strings.Cut(rest, "/")
		target := ir.ServiceID{Namespace: ns, Name: name}
		if s.grants[target] == nil {
			s.targets[ns] = append(s.targets[ns], target)
		}
		s.grants[target] = append(s.grants[target], g)
	}
	for _, sp := range mesh.Splits {
		s.splits[sp.Root.Namespace] = append(s.splits[sp.Root.Namespace], sp)
	}
	return s
}

func (s *still) Config() *syntax.Config               { return s.files.Config }
func (s *still) Settings() ir.Settings                { return s.mesh.Settings }
func (s *still) Policy(namespace string) ir.Namespace { return s.mesh.Namespace(namespace) }
func (s *still) Splits(namespace string) []ir.Split   { return s.splits[namespace] }

func (s *still) Targets(namespace string) []ir.ServiceID { return s.targets[namespace] }
func (s *still) Grants(target ir.ServiceID) []ir.Grant   { return s.grants[target] }

func (s *still) Places() []string {
	var out []string
	for _, svc := range s.mesh.Services {
		out = append(out, svc.ID.Namespace)
	}
	for _, o := range s.files.Objects {
		out = append(out, o.Namespace)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (s *still) Service(id ir.ServiceID) *ir.Service {
	svc, _ := s.mesh.Service(id)
	return svc
}

func (s *still) Services(namespace string) []ir.ServiceID {
	var out []ir.ServiceID
	for _, svc := range s.mesh.Services {
		if svc.ID.Namespace == namespace {
			out = append(out, svc.ID)
		}
	}
	return out
}

func (s *still) Objects(kind, namespace string) []*syntax.Object {
	return s.kinds[place{namespace, kind}]
}

func (s *still) Object(kind, namespace, name string) *syntax.Object {
	if all := s.Called(kind, namespace, name); len(all) > 0 {
		return all[0]
	}
	return nil
}

func (s *still) Called(kind, namespace, name string) []*syntax.Object {
	return s.named[diag.Object{Kind: kind, Namespace: namespace, Name: name}]
}

func (s *still) Fact(id ir.ServiceID) diag.Span {
	at := s.mesh.Origins["Service/"+id.String()]
	return diag.Span{File: at.File, Line: at.Line, Col: at.Col}
}
