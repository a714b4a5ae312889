package concern

import (
	"reflect"

	"github.com/meshc/meshc/compiler/ir"
)

// touch adds the services, workloads and accounts that mean something else than
// before, whatever made them: a manifest, the lock, or an assumption. What refers to
// an account refers to all that runs under it.
func touch(names map[string]bool, before, after State) {
	account := func(id ir.Identity) {
		if _, namespace, name, ok := id.Split(); ok {
			names["ServiceAccount/"+namespace+"/"+name] = true
		}
	}
	differing(services(before.Mesh), services(after.Mesh), func(name string, s *ir.Service) {
		names["Service/"+name] = true
		for _, id := range s.Accounts {
			account(id)
		}
	})
	differing(workloads(before.Inventory), workloads(after.Inventory), func(name string, w *running) {
		names[name] = true
		account(w.identity)
		for _, s := range w.services {
			names["Service/"+s.String()] = true
		}
	})
}

// differing calls f with what only one side has, and with both sides of what is not
// equal.
func differing[V any](before, after map[string]V, f func(name string, v V)) {
	for name, v := range after {
		was, ok := before[name]
		if ok && reflect.DeepEqual(was, v) {
			continue
		}
		if f(name, v); ok {
			f(name, was)
		}
	}
	for name, v := range before {
		if _, ok := after[name]; !ok {
			f(name, v)
		}
	}
}

func services(m *ir.Mesh) map[string]*ir.Service {
	out := make(map[string]*ir.Service, len(m.Services))
	for i := range m.Services {
		out[m.Services[i].ID.String()] = &m.Services[i]
	}
	return out
}

// running is what policy sees of a workload.
type running struct {
	identity ir.Identity
	meshed   bool
	services []ir.ServiceID
	labels   map[string]string
}

func workloads(inventory *ir.Inventory) map[string]*running {
	if inventory == nil {
		return nil
	}
	out := make(map[string]*running, len(inventory.Workloads))
	for i := range inventory.Workloads {
		w := &inventory.Workloads[i]
		out[w.Kind+"/"+w.Namespace+"/"+w.Name] = &running{w.Identity, w.Meshed, w.Services, w.Labels}
	}
	return out
}

// namespaces are those in which other settings are in force.
func namespaces(before, after *ir.Mesh) map[string]bool {
	out := map[string]bool{}
	for _, m := range []*ir.Mesh{before, after} {
		for _, n := range m.Namespaces {
			if before.Namespace(n.Name) != after.Namespace(n.Name) {
				out[n.Name] = true
			}
		}
	}
	return out
}
