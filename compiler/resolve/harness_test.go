package resolve_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/meshc/meshc/compiler/check"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/resolve"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
)

// story is one input and what became of it. Expectations stand on the offending
// line: `# want MSH1007=text` asks for a finding of that code whose span is
// exactly that text; without `=text` the line is enough. Any other finding fails.
type story struct {
	config string // meshc.yaml
	policy string
	shop   string // instead of the usual applications
	known  ir.Known
	now    time.Time
}

// apps are the applications that most stories are about: web and db in shop,
// client in the namespace client.
const apps = `
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Namespace
metadata: {name: client}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      serviceAccountName: web
      containers: [{name: app, image: echo, ports: [{name: http, containerPort: 8080}]}]
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: 8080}, {name: tcp-raw, port: 9000}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: client, namespace: client}
spec:
  selector: {matchLabels: {app: client}}
  template:
    metadata: {labels: {app: client}}
    spec:
      serviceAccountName: client
      containers: [{name: app, image: echo}]
`

// target is a TrafficTarget of shop that lets client call web by one rule.
func target(rules string) string {
	return `apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: t, namespace: shop}
spec:
  destination: {kind: ServiceAccount, name: web}
  sources: [{kind: ServiceAccount, name: client, namespace: client}]
  rules:
` + rules + "\n---\n"
}

// group is an HTTPRouteGroup of shop.
func group(matches string) string {
	return `apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata: {name: g, namespace: shop}
spec:
  matches:
` + matches + "\n---\n"
}

// tcpRoute is a TCPRoute of shop.
func tcpRoute(ports string) string {
	return `apiVersion: specs.smi-spec.io/v1alpha4
kind: TCPRoute
metadata: {name: r, namespace: shop}
spec: {matches: {ports: ` + ports + "}}\n---\n"
}

// tcpRouteLines is a TCPRoute of shop with a port a line.
func tcpRouteLines(ports ...string) string {
	out := "apiVersion: specs.smi-spec.io/v1alpha4\nkind: TCPRoute\nmetadata: {name: r, namespace: shop}\nspec:\n  matches:\n    ports:\n"
	for _, p := range ports {
		out += "    - " + p + "\n"
	}
	return out + "---\n"
}

func (s story) files() map[string][]byte {
	shop := s.shop
	if shop == "" {
		shop = apps
	}
	files := map[string][]byte{"apps.yaml": []byte(shop), "policy.yaml": []byte(s.policy)}
	if s.config != "" {
		files["meshc.yaml"] = []byte("apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata: {name: shop}\nspec:\n  sources: [./apps.yaml, ./policy.yaml]\n" + s.config)
	}
	return files
}

// resolve runs the story and compares its findings with the expectations in it.
func (s story) resolve(t *testing.T) *ir.Mesh {
	t.Helper()
	files := s.files()
	mesh, _, _, findings := s.run(t)
	compareWants(t, files, findings)
	return mesh
}

func (s story) run(t testing.TB) (*ir.Mesh, *ir.Inventory, resolve.Used, diag.List) {
	t.Helper()
	parsed, findings := syntax.Parse(tree(t, s.files()))
	mesh, inv, used, more := resolve.Mesh(parsed, s.known, resolve.Options{Now: s.now})
	findings.Add(more...)
	findings.Add(check.Mesh(parsed, mesh)...)
	return mesh, inv, used, findings.Sorted()
}

func tree(t testing.TB, files map[string][]byte) *source.Tree {
	t.Helper()
	return source.FromMap(files)
}

var wantMark = regexp.MustCompile(`# want (.*)$`)

func compareWants(t *testing.T, files map[string][]byte, findings diag.List) {
	t.Helper()
	var got, want []string
	texts := map[string][]string{}
	for name, data := range files {
		lines := strings.Split(string(data), "\n")
		texts[name] = lines
		for i, line := range lines {
			m := wantMark.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			for _, w := range strings.Split(m[1], "; ") {
				want = append(want, fmt.Sprintf("%s:%d %s", name, i+1, w))
			}
		}
	}
	bare := map[string]bool{}
	for _, w := range want {
		bare[w] = !strings.Contains(w, "=")
	}
	for _, f := range findings {
		at := f.At()
		line := fmt.Sprintf("%s:%d %s", at.File, at.Line, f.Code)
		if !bare[line] {
			line += "=" + spanText(texts[at.File], at)
		}
		got = append(got, line)
		if f.Help == "" && f.Severity > diag.Info {
			t.Errorf("%s says not what to do: %s", f.Code, f.Message)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(slices.Compact(got), slices.Compact(want)) {
		t.Errorf("findings differ\n got: %s\nwant: %s", strings.Join(got, "\n      "), strings.Join(want, "\n      "))
		for _, f := range findings {
			t.Logf("%s %s: %s", f.At(), f.Code, f.Message)
		}
	}
}

// spanText is the source text of a span on one line.
func spanText(lines []string, at diag.Span) string {
	if at.Line == 0 || at.Line > len(lines) {
		return ""
	}
	line := []rune(lines[at.Line-1])
	end := at.EndCol - 1
	if at.EndLine != at.Line || end > len(line) {
		end = len(line)
	}
	text, _, _ := strings.Cut(string(line[at.Col-1:end]), "  #")
	return strings.TrimSpace(text)
}

// grants writes a mesh's grants one a line, as a person would say them.
func grants(m *ir.Mesh) string {
	var out []string
	for _, g := range m.Grants {
		var sources, ports, what []string
		for _, s := range g.Sources {
			sources = append(sources, s.Short())
		}
		for _, p := range g.Ports {
			ports = append(ports, p.String())
		}
		for _, h := range g.HTTP {
			what = append(what, request(h))
		}
		if len(what) == 0 {
			what = []string{"anything"}
		}
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s: %s -> %s [%s] %s", g.Name, strings.Join(sources, ","), g.Destination.Short(), strings.Join(ports, ","), strings.Join(what, " or "))))
	}
	return strings.Join(out, "\n")
}

func request(m ir.Match) string {
	out := strings.Join(m.Methods, ",") + " " + m.Path
	for _, h := range m.Headers {
		full := ""
		if h.Full {
			full = "^"
		}
		out += " " + h.Name + ":" + full + h.Regex
	}
	return strings.TrimSpace(out)
}

func expectGrants(t *testing.T, m *ir.Mesh, want ...string) {
	t.Helper()
	if got := grants(m); got != strings.Join(want, "\n") {
		t.Errorf("grants differ\n got: %s\nwant: %s", strings.ReplaceAll(got, "\n", "\n      "), strings.Join(want, "\n      "))
	}
}

// splits writes a mesh's splits one a line.
func splits(m *ir.Mesh) string {
	var out []string
	for _, s := range m.Splits {
		line := s.Name + ": " + s.Root.String()
		for _, h := range s.Matches {
			line += " if " + request(h)
		}
		for _, b := range s.Backends {
			missing := ""
			if b.Missing {
				missing = "(missing)"
			}
			line += fmt.Sprintf(" %s%s=%d%v", b.Service.Name, missing, b.Weight, b.Ports)
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

func expectSplits(t *testing.T, m *ir.Mesh, want ...string) {
	t.Helper()
	if got := splits(m); got != strings.Join(want, "\n") {
		t.Errorf("splits differ\n got: %s\nwant: %s", strings.ReplaceAll(got, "\n", "\n      "), strings.Join(want, "\n      "))
	}
}

// roles writes a mesh's roles one a line.
func roles(m *ir.Mesh) string {
	var out []string
	for _, r := range m.Roles {
		line := r.Name()
		for _, p := range r.Ports {
			line += fmt.Sprintf(" %d%s/%s%v", p.TargetPort, p.TargetName, p.Protocol, p.Services)
			if p.Plaintext {
				line += "plain"
			}
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

func expectRoles(t *testing.T, m *ir.Mesh, want ...string) {
	t.Helper()
	if got := roles(m); got != strings.Join(want, "\n") {
		t.Errorf("roles differ\n got: %s\nwant: %s", strings.ReplaceAll(got, "\n", "\n      "), strings.Join(want, "\n      "))
	}
}

func service(t *testing.T, m *ir.Mesh, ns, name string) *ir.Service {
	t.Helper()
	s, ok := m.Service(ir.ServiceID{Namespace: ns, Name: name})
	if !ok {
		t.Fatalf("service %s/%s is not in the mesh", ns, name)
	}
	return s
}
