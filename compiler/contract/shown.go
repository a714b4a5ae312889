package contract

import (
	"slices"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// Application is what an application's manifests show: as decoded, and as they
// resolve without any policy.
type Application struct {
	Files     *syntax.Files
	Mesh      *ir.Mesh
	Inventory *ir.Inventory
	// Part: the manifests are a part of their namespaces only. What is missing may
	// lie elsewhere, unless they show the other end of it.
	Part bool
}

// shown is an application by name.
type shown struct {
	Application
	objects   map[string]*syntax.Object // by Kind/NAMESPACE/NAME
	spaces    map[string]*syntax.Object // the first object of each namespace, the Namespace before others
	workloads map[string][]*ir.InventoryWorkload
}

func show(a Application) *shown {
	s := &shown{Application: a, objects: map[string]*syntax.Object{}, spaces: map[string]*syntax.Object{}, workloads: map[string][]*ir.InventoryWorkload{}}
	for _, o := range a.Files.Objects {
		s.objects[o.Ref().String()] = o
		ns := o.Namespace
		if o.Kind == "Namespace" {
			ns = o.Name
		}
		if s.spaces[ns] == nil || o.Kind == "Namespace" {
			s.spaces[ns] = o
		}
	}
	for i := range a.Inventory.Workloads {
		w := &a.Inventory.Workloads[i]
		s.workloads[w.Identity.Short()] = append(s.workloads[w.Identity.Short()], w)
	}
	return s
}

// service is what the manifests show of a service; nil: nothing.
func (s *shown) service(id ir.ServiceID) (*ir.Service, *syntax.Object) {
	svc, ok := s.Mesh.Service(id)
	o := s.objects["Service/"+id.String()]
	if !ok {
		return nil, nil
	}
	if o == nil { // Flagger makes it
		for _, c := range s.Files.Objects {
			if c.Canary != nil && c.Namespace == id.Namespace {
				o = c
			}
		}
	}
	return svc, o
}

// behind are the workloads that a service selects.
func (s *shown) behind(id ir.ServiceID) []*ir.InventoryWorkload {
	var out []*ir.InventoryWorkload
	for i := range s.Inventory.Workloads {
		if w := &s.Inventory.Workloads[i]; slices.Contains(w.Services, id) {
			out = append(out, w)
		}
	}
	return out
}

// workloadAt is the line that says which account a workload runs as.
func (s *shown) workloadAt(w *ir.InventoryWorkload) (diag.Span, *syntax.Object) {
	o := s.objects[w.Kind+"/"+w.Namespace+"/"+w.Name]
	if o == nil || o.Workload == nil { // a copy that a controller makes
		return s.spaceAt(w.Namespace)
	}
	return o.At(append(slices.Clone(o.Workload.TemplatePath), "spec", "serviceAccountName")...), o
}

// spaceAt stands for what is not there any more: its namespace, else whatever
// else lies there.
func (s *shown) spaceAt(namespace string) (diag.Span, *syntax.Object) {
	o := s.spaces[namespace]
	if o == nil {
		return diag.Span{}, nil
	}
	return o.At("metadata", "name"), o
}

// accountAt is where an account is written, or where a workload runs as it.
func (s *shown) accountAt(account, namespace string) (diag.Span, *syntax.Object) {
	if o := s.objects["ServiceAccount/"+account]; o != nil {
		return o.At("metadata", "name"), o
	}
	for _, w := range s.workloads[account] {
		return s.workloadAt(w)
	}
	return s.spaceAt(namespace)
}

// portAt is where a Service says something of a port: the first of the fields
// that is written.
func portAt(o *syntax.Object, p ir.Port, fields ...string) diag.Span {
	if o == nil {
		return diag.Span{}
	}
	if o.Service == nil {
		return o.At("spec", "service")
	}
	for i, written := range o.Service.Ports {
		if written.Port != int64(p.Number) || (written.Protocol == "UDP") != (p.Protocol == ir.UDP) {
			continue
		}
		said := map[string]bool{"appProtocol": written.AppProtocol != "", "name": written.Name != "", "targetPort": written.TargetPort != 0 || written.TargetName != ""}
		for _, f := range fields {
			if said[f] {
				return o.At("spec", "ports", i, f)
			}
		}
		return o.At("spec", "ports", i, "port")
	}
	return o.At("spec", "ports")
}
