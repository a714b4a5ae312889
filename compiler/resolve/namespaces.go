package resolve

import (
	"maps"
	"slices"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
)

// Names for ever (DESIGN 9).
const (
	labelMesh           = ir.LabelMesh
	labelInject         = ir.LabelInject
	annotationPlaintext = "meshc.dev/plaintext-ports"
	annotationAllowSelf = "meshc.dev/allow-self"
	annotationCommand   = "lab.meshc.dev/command"
)

// namespace is what is known of one: its labels. Its settings are its policy.
type namespace struct {
	*part
	ours     bool // not labelled for another mesh
	disabled bool // labelled inject: disabled
}

// policy is the settings in force in a namespace.
func (r *resolver) policy(name string) ir.Namespace {
	if n, ok := r.policies[name]; ok {
		return n
	}
	s := r.settings
	return ir.Namespace{Name: name, Mode: s.Mode, PlaintextAllowed: s.PlaintextAllowed, EgressAllowed: s.EgressAllowed}
}

// caring are the kinds to which it matters whether their namespace is in the mesh.
var caring = append([]string{"ServiceAccount", "IdentityBinding", "TrafficTarget", "HTTPRouteGroup", "TrafficSplit", "BreakGlass"}, workloadKinds...)

// readNamespace reads a namespace's labels. Those of one that is not in the tree
// are a known fact, if anything in it cares.
func (r *resolver) readNamespace(name string) *namespace {
	n := &namespace{ours: true}
	n.part = r.unit(func() {
		if o, ok := r.find("Namespace", "", name); ok {
			r.origin("Namespace/"+name, o, namePosition(o))
			r.readNamespaceLabels(n, name, o.Labels, func(label string) diag.Span { return o.At("metadata", "labels", label) })
			return
		}
		if !slices.ContainsFunc(caring, func(kind string) bool { return len(r.of(kind, name)) > 0 }) {
			return
		}
		if f, _ := r.ask(factNamespace, "", name); f != nil {
			r.factOrigin(rankAccountFact, "Namespace/"+name, "Namespace", f)
			r.readNamespaceLabels(n, name, f.Labels, func(string) diag.Span { return f.At })
		}
	})
	return n
}

func (r *resolver) readNamespaceLabels(n *namespace, name string, labels map[string]string, at func(string) diag.Span) {
	// A mesh without a meshc.yaml has no name that a label could differ from.
	if mesh, ok := labels[labelMesh]; ok && r.config.Name != "" && mesh != r.settings.Name {
		n.ours = false
		r.report(diag.New("MSH3010", at(labelMesh), "namespace %q belongs to the mesh %q, not to %q", name, mesh, r.settings.Name).
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

// readPolicies reads the settings that meshc.yaml has for namespaces.
func (r *resolver) readPolicies() {
	for _, name := range slices.Sorted(maps.Keys(r.config.Namespaces)) {
		c, n := r.config.Namespaces[name], r.policy(name)
		path := func(field string) []any { return []any{"spec", "namespaces", name, field} }
		if c.Mode != "" {
			n.Mode = ir.Mode(r.choice(c.Mode, path("mode"), "strict", "permissive", "audit"))
		}
		if c.Egress != "" {
			n.EgressAllowed = r.choice(c.Egress, path("egress"), "deny", "allow") == "allow"
		}
		if c.Plaintext != "" {
			n.PlaintextAllowed = r.choice(c.Plaintext, path("plaintext"), "deny", "allow") == "allow"
		}
		r.policies[name] = n
	}
}

// findNamespaces tells which namespaces of meshc.yaml nothing lies in.
func (r *resolver) findNamespaces() {
	for _, name := range slices.Sorted(maps.Keys(r.config.Namespaces)) {
		if r.present.Get(name) || r.known.mentions(name) {
			continue
		}
		f := diag.New("MSH0305", r.configKey("spec", "namespaces", name), "nothing that is known lies in the namespace %q", name).
			WithEffect("its settings change nothing")
		if near := diag.Nearest(name, r.places.Get(struct{}{})); near != "" {
			f = f.WithHelp("did you mean %q?", near)
		}
		r.report(f)
	}
}

func (r *resolver) configKey(path ...any) diag.Span {
	if o := r.config.Object; o != nil {
		return o.AtKey(path...)
	}
	return diag.Span{}
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
