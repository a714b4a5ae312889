package inject

import (
	"strings"

	"github.com/meshc/meshc/compiler/ir"
)

// The words by which namespaces and pods say whether they want a sidecar. Those of
// Open Service Mesh are understood, so that its users' manifests work as they are.
const (
	meshLabel   = ir.LabelMesh
	injectWord  = ir.LabelInject // label or annotation
	osmMesh     = "openservicemesh.io/monitored-by"
	osmIgnore   = "openservicemesh.io/ignore"
	osmInject   = "openservicemesh.io/sidecar-injection"
	osmMetrics  = "openservicemesh.io/metrics"
	meshMetrics = "meshc.dev/metrics"
)

// decide tells whether the pod gets a sidecar, and why.
func (i *injection) decide() (bool, string) {
	member, byDefault, why := i.membership()
	if !member {
		return false, why
	}
	want, said := byDefault, why
	for _, w := range i.sayings() {
		if on, ok := i.understood(w); ok {
			want, said = on, w.where+" says "+w.key+": "+w.value
			break
		}
	}
	if !want {
		return false, said
	}
	if on, _ := at(i.spec, "hostNetwork").(bool); on {
		i.add("MSH4011", "spec.hostNetwork", "pod %q uses the network of its node, and gets no sidecar", i.name())
		return false, "it uses the network of its node"
	}
	return true, said
}

// Member tells whether a namespace belongs to the mesh of this name; empty: to any.
// Its pods may still have no sidecar, each by what it says of itself.
func (ns Namespace) Member(mesh string) bool {
	i := injection{ns: ns, settings: Settings{Mesh: mesh}}
	member, _, _ := i.membership()
	return member
}

// membership tells whether the namespace belongs to the mesh, and whether its pods
// are injected when nothing else is said. In Open Service Mesh they are not.
func (i *injection) membership() (member, byDefault bool, why string) {
	ns := i.ns
	switch {
	case ns.Labels[osmIgnore] == "true":
		return false, false, "namespace " + ns.Name + " says " + osmIgnore
	case ns.Labels[meshLabel] != "":
		if i.settings.Mesh != "" && ns.Labels[meshLabel] != i.settings.Mesh {
			return false, false, "namespace " + ns.Name + " belongs to mesh " + ns.Labels[meshLabel]
		}
		return true, true, "namespace " + ns.Name + " belongs to the mesh"
	case ns.Labels[osmMesh] != "":
		if i.settings.Mesh != "" && ns.Labels[osmMesh] != i.settings.Mesh {
			return false, false, "namespace " + ns.Name + " belongs to mesh " + ns.Labels[osmMesh]
		}
		return true, false, "namespace " + ns.Name + " belongs to the mesh, and does not ask for sidecars"
	}
	return false, false, "namespace " + ns.Name + " belongs to no mesh"
}

// saying is a label or an annotation that speaks of injection.
type saying struct{ where, path, key, value string }

// sayings are what pod and namespace say, the one that counts first.
func (i *injection) sayings() []saying {
	var out []saying
	heard := func(where, path, key string, value string) {
		if value != "" {
			out = append(out, saying{where, path, key, value})
		}
	}
	for _, k := range []struct{ in, key string }{{"labels", injectWord}, {"annotations", injectWord}, {"annotations", osmInject}} {
		heard("the pod", "metadata."+k.in, k.key, text(i.pod, "metadata", k.in, k.key))
	}
	where := "namespace " + i.ns.Name
	heard(where, "", injectWord, i.ns.Labels[injectWord])
	heard(where, "", injectWord, i.ns.Annotations[injectWord])
	heard(where, "", osmInject, i.ns.Annotations[osmInject])
	return out
}

// understood reads a saying. One that cannot be read counts as a wish for a
// sidecar, the safe side, and is a finding.
func (i *injection) understood(w saying) (on, ok bool) {
	switch strings.ToLower(w.value) {
	case "enabled":
		return true, true
	case "disabled":
		return false, true
	}
	if w.key == osmInject {
		switch strings.ToLower(w.value) {
		case "yes", "true":
			return true, true
		case "no", "false":
			return false, true
		}
	}
	f := i.add("MSH4010", w.path, "%s says %s: %q, which is neither enabled nor disabled", w.where, w.key, w.value)
	*f = f.WithHelp("write %s: enabled or %s: disabled", w.key, w.key)
	return true, true
}
