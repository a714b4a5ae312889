package resolve

import (
	"maps"
	"slices"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// Names for ever (DESIGN 9).
const (
	labelMesh           = "meshc.dev/mesh"
	labelInject         = "meshc.dev/inject"
	annotationPlaintext = "meshc.dev/plaintext-ports"
	annotationAllowSelf = "meshc.dev/allow-self"
	annotationCommand   = "lab.meshc.dev/command"
)

// namespace is what is known of one: its own settings and its labels.
type namespace struct {
	ir.Namespace
	obj      *syntax.Object // nil: not in the tree
	ours     bool           // not labelled for another mesh
	disabled bool           // labelled inject: disabled
	inTree   bool           // some object lies in it
	asked    bool           // known facts were asked for its labels
}

// readNamespaces finds the namespaces of the tree and of the settings.
func (r *resolver) readNamespaces() {
	for _, o := range r.files.Objects {
		if o.Namespace != "" {
			r.namespace(o.Namespace).inTree = true
		}
	}
	for _, o := range r.objects.byKind["Namespace"] {
		n := r.namespace(o.Name)
		n.obj, n.inTree = o, true
		r.origin("Namespace/"+o.Name, o, namePosition(o))
		r.readNamespaceLabels(n, o.Labels, func(label string) diag.Span { return o.At("metadata", "labels", label) })
	}
	for _, name := range slices.Sorted(maps.Keys(r.files.Config.Namespaces)) {
		r.readNamespaceSettings(name)
	}
}

// namespace finds or makes the entry of a name, with the mesh's settings.
func (r *resolver) namespace(name string) *namespace {
	n, ok := r.namespaces[name]
	if !ok {
		s := r.settings
		n = &namespace{ours: true, Namespace: ir.Namespace{Name: name, Mode: s.Mode, PlaintextAllowed: s.PlaintextAllowed, EgressAllowed: s.EgressAllowed}}
		r.namespaces[name] = n
	}
	return n
}

func (r *resolver) readNamespaceLabels(n *namespace, labels map[string]string, at func(string) diag.Span) {
	// A mesh without a meshc.yaml has no name that a label could differ from.
	if mesh, ok := labels[labelMesh]; ok && r.files.Config.Name != "" && mesh != r.settings.Name {
		n.ours = false
		r.report(diag.New("MSH3010", at(labelMesh), "namespace %q belongs to the mesh %q, not to %q", n.Name, mesh, r.settings.Name).
			WithEffect("its workloads count as outside the mesh and its policies are left out").
			WithHelp("label it `%s: %s` if it is meant to be in this mesh", labelMesh, r.settings.Name))
	}
	n.disabled = r.injectDisabled(labels, at)
}

// injectDisabled reads the inject label of a namespace or of a pod.
func (r *resolver) injectDisabled(labels map[string]string, at func(string) diag.Span) bool {
	switch v := labels[labelInject]; v {
	case "", "enabled":
		return false
	case "disabled":
		return true
	default:
		r.report(diag.New("MSH4010", at(labelInject), "%q is not a value of the label %s", v, labelInject).
			WithEffect("it counts as enabled: the workload must speak mTLS").
			WithHelp("write enabled or disabled"))
		return false
	}
}

// namespaceMeshed tells whether workloads of the namespace are in the mesh unless
// they say otherwise. Labels of a namespace that is not in the tree are a known fact.
func (r *resolver) namespaceMeshed(name string) bool {
	n := r.namespace(name)
	if n.obj == nil && !n.asked {
		n.asked = true
		if f, _ := r.known.ask(factNamespace, "", name); f != nil {
			r.factOrigin("Namespace/"+name, "Namespace", f)
			r.readNamespaceLabels(n, f.Labels, func(string) diag.Span { return f.At })
		}
	}
	return n.ours && !n.disabled
}

func (r *resolver) readNamespaceSettings(name string) {
	c := r.files.Config.Namespaces[name]
	path := func(field string) []any { return []any{"spec", "namespaces", name, field} }
	n := r.namespace(name)
	if c.Mode != "" {
		n.Mode = ir.Mode(r.choice(c.Mode, path("mode"), "strict", "permissive", "audit"))
	}
	if c.Egress != "" {
		n.EgressAllowed = r.choice(c.Egress, path("egress"), "deny", "allow") == "allow"
	}
	if c.Plaintext != "" {
		n.PlaintextAllowed = r.choice(c.Plaintext, path("plaintext"), "deny", "allow") == "allow"
	}
	if !n.inTree && !r.known.mentions(name) {
		f := diag.New("MSH0305", r.configKey("spec", "namespaces", name), "nothing that is known lies in the namespace %q", name).
			WithEffect("its settings change nothing")
		if near := diag.Nearest(name, r.namespacesInTree()); near != "" {
			f = f.WithHelp("did you mean %q?", near)
		}
		r.report(f)
	}
}

func (r *resolver) configKey(path ...any) diag.Span {
	if o := r.files.Config.Object; o != nil {
		return o.AtKey(path...)
	}
	return diag.Span{}
}

func (r *resolver) namespacesInTree() []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(r.namespaces)) {
		if r.namespaces[name].inTree {
			out = append(out, name)
		}
	}
	return out
}

// mentions tells whether any fact is about the namespace or something in it.
func (k *knowledge) mentions(namespace string) bool {
	for q := range k.facts {
		if q.namespace == namespace || q.of == factNamespace && q.name == namespace {
			return true
		}
	}
	return false
}
