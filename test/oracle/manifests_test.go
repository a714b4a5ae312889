package oracle

import (
	"fmt"
	"strings"
)

// files are the manifests of a world, by name.
func (w *world) files() map[string]string {
	var b strings.Builder
	for _, a := range w.accounts() {
		document(&b, "v1", "ServiceAccount", a.Namespace, a.Name, "")
	}
	for _, s := range w.Services {
		s.write(&b)
	}
	for _, t := range w.Targets {
		t.write(&b)
	}
	for _, s := range w.Splits {
		s.write(&b)
	}
	return map[string]string{"meshc.yaml": w.config(), "manifests/mesh.yaml": b.String()}
}

func (w *world) config() string {
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata: {name: oracle}\nspec:\n  mode: %s\n  egress: %s\n  plaintext: %s\n  sources: [./manifests]\n", w.Mode, w.Egress, w.Plaintext)
	if len(w.Spaces) > 0 {
		b.WriteString("  namespaces:\n")
	}
	for _, s := range w.Spaces {
		fmt.Fprintf(&b, "    %s: {mode: %s, egress: %s, plaintext: %s}\n", s.Name, s.Mode, s.Egress, s.Plaintext)
	}
	return b.String()
}

func document(b *strings.Builder, version, kind, namespace, name, rest string) {
	fmt.Fprintf(b, "---\napiVersion: %s\nkind: %s\nmetadata: {name: %s, namespace: %s}\n%s", version, kind, name, namespace, rest)
}

func (s service) write(b *strings.Builder) {
	fmt.Fprintf(b, "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: %s\n  namespace: %s\n", s.Name, s.Namespace)
	var open []string
	for _, p := range s.Ports {
		if p.Plaintext {
			open = append(open, fmt.Sprint(p.Number))
		}
	}
	if len(open) > 0 {
		fmt.Fprintf(b, "  annotations: {meshc.dev/plaintext-ports: %q}\n", strings.Join(open, ","))
	}
	b.WriteString("spec:\n")
	if s.Headless {
		b.WriteString("  clusterIP: None\n")
	}
	fmt.Fprintf(b, "  selector: {app: %s}\n  ports:\n", s.Name)
	for _, p := range s.Ports {
		fmt.Fprintf(b, "  - {name: %s-p%d, port: %d, targetPort: %d}\n", p.Protocol, p.Number, p.Number, p.Target)
	}
	if s.Empty {
		return
	}
	labels := "app: " + s.Name
	if s.Outside {
		labels += ", meshc.dev/inject: disabled"
	}
	document(b, "apps/v1", "Deployment", s.Namespace, s.Name, fmt.Sprintf("spec:\n  selector: {matchLabels: {app: %s}}\n  template:\n    metadata: {labels: {%s}}\n    spec: {serviceAccountName: %s}\n", s.Name, labels, s.Account))
}

func (t target) write(b *strings.Builder) {
	var rules []string
	if t.Matches != nil {
		group(b, t.Namespace, t.Name, t.Matches)
		rules = append(rules, fmt.Sprintf("{kind: HTTPRouteGroup, name: %s}", t.Name))
	}
	if t.TCP {
		spec := "spec: {}\n"
		if len(t.Ports) > 0 {
			spec = fmt.Sprintf("spec: {matches: {ports: %s}}\n", strings.ReplaceAll(fmt.Sprint(t.Ports), " ", ", "))
		}
		document(b, "specs.smi-spec.io/v1alpha4", "TCPRoute", t.Namespace, t.Name, spec)
		rules = append(rules, fmt.Sprintf("{kind: TCPRoute, name: %s}", t.Name))
	}
	var sources []string
	for _, s := range t.Sources {
		sources = append(sources, fmt.Sprintf("{kind: ServiceAccount, name: %s, namespace: %s}", s.Name, s.Namespace))
	}
	document(b, "access.smi-spec.io/v1alpha3", "TrafficTarget", t.Namespace, t.Name, fmt.Sprintf(
		"spec:\n  destination: {kind: ServiceAccount, name: %s, namespace: %s}\n  rules: [%s]\n  sources: [%s]\n",
		t.Account, t.Namespace, strings.Join(rules, ", "), strings.Join(sources, ", ")))
}

// group writes a route group.
func group(b *strings.Builder, namespace, name string, matches []match) {
	spec := "spec:\n  matches:\n"
	for i, m := range matches {
		spec += fmt.Sprintf("  - name: m%d\n", i)
		if m.Path != "" {
			spec += fmt.Sprintf("    pathRegex: '%s'\n", m.Path)
		}
		if len(m.Methods) > 0 {
			spec += fmt.Sprintf("    methods: [%s]\n", strings.Join(m.Methods, ", "))
		} else {
			spec += "    methods: ['*']\n"
		}
		if len(m.Headers) > 0 {
			spec += "    headers:\n"
		}
		for _, h := range m.Headers {
			spec += fmt.Sprintf("    - %s: '%s'\n", h.Name, h.Value)
		}
	}
	document(b, "specs.smi-spec.io/v1alpha4", "HTTPRouteGroup", namespace, name, spec)
}

func (s split) write(b *strings.Builder) {
	spec := fmt.Sprintf("spec:\n  service: %s\n  backends:\n", s.Root)
	for _, to := range s.Backends {
		spec += fmt.Sprintf("  - {service: %s, weight: %d}\n", to.Name, to.Weight)
	}
	if s.Matches != nil {
		name := "split-" + s.Name
		group(b, s.Namespace, name, s.Matches)
		spec += fmt.Sprintf("  matches:\n  - {kind: HTTPRouteGroup, name: %s}\n", name)
	}
	document(b, "split.smi-spec.io/v1alpha4", "TrafficSplit", s.Namespace, s.Name, spec)
}
