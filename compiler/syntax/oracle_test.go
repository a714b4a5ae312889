package syntax_test

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"testing"

	access1 "github.com/servicemeshinterface/smi-sdk-go/pkg/apis/access/v1alpha1"
	access2 "github.com/servicemeshinterface/smi-sdk-go/pkg/apis/access/v1alpha2"
	access3 "github.com/servicemeshinterface/smi-sdk-go/pkg/apis/access/v1alpha3"
	specs1 "github.com/servicemeshinterface/smi-sdk-go/pkg/apis/specs/v1alpha1"
	specs2 "github.com/servicemeshinterface/smi-sdk-go/pkg/apis/specs/v1alpha2"
	specs3 "github.com/servicemeshinterface/smi-sdk-go/pkg/apis/specs/v1alpha3"
	specs4 "github.com/servicemeshinterface/smi-sdk-go/pkg/apis/specs/v1alpha4"
	split1 "github.com/servicemeshinterface/smi-sdk-go/pkg/apis/split/v1alpha1"
	split2 "github.com/servicemeshinterface/smi-sdk-go/pkg/apis/split/v1alpha2"
	split3 "github.com/servicemeshinterface/smi-sdk-go/pkg/apis/split/v1alpha3"
	split4 "github.com/servicemeshinterface/smi-sdk-go/pkg/apis/split/v1alpha4"
	"sigs.k8s.io/yaml"

	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
)

// The SDK's own types are the oracle: where both of us read a version, we must
// read the same. What the SDK drops in silence is tested elsewhere.
func TestReadsWhatTheSDKReads(t *testing.T) {
	for _, c := range []struct {
		apiVersion, kind, body string
		sdk                    func(text []byte) (string, error)
	}{
		{"access.smi-spec.io/v1alpha1", "TrafficTarget", targetTop, func(b []byte) (string, error) {
			var o access1.TrafficTarget
			err := yaml.UnmarshalStrict(b, &o)
			s := line("to", o.Destination.Kind, o.Destination.Name, o.Destination.Namespace, o.Destination.Port)
			for _, r := range o.Specs {
				s += line("rule", r.Kind, r.Name, r.Matches)
			}
			for _, f := range o.Sources {
				s += line("from", f.Kind, f.Name, f.Namespace, f.Port)
			}
			return s, err
		}},
		{"access.smi-spec.io/v1alpha2", "TrafficTarget", targetSpec("\n    port: 8080"), func(b []byte) (string, error) {
			var o access2.TrafficTarget
			err := yaml.UnmarshalStrict(b, &o)
			s := line("to", o.Spec.Destination.Kind, o.Spec.Destination.Name, o.Spec.Destination.Namespace, *o.Spec.Destination.Port)
			for _, r := range o.Spec.Rules {
				s += line("rule", r.Kind, r.Name, r.Matches)
			}
			for _, f := range o.Spec.Sources {
				s += line("from", f.Kind, f.Name, f.Namespace, 0)
			}
			return s, err
		}},
		{"access.smi-spec.io/v1alpha3", "TrafficTarget", targetSpec(""), func(b []byte) (string, error) {
			var o access3.TrafficTarget
			err := yaml.UnmarshalStrict(b, &o)
			s := line("to", o.Spec.Destination.Kind, o.Spec.Destination.Name, o.Spec.Destination.Namespace, 0)
			for _, r := range o.Spec.Rules {
				s += line("rule", r.Kind, r.Name, r.Matches)
			}
			for _, f := range o.Spec.Sources {
				s += line("from", f.Kind, f.Name, f.Namespace, 0)
			}
			return s, err
		}},
		{"specs.smi-spec.io/v1alpha1", "HTTPRouteGroup", groupTop(""), func(b []byte) (string, error) {
			var o specs1.HTTPRouteGroup
			err := yaml.UnmarshalStrict(b, &o)
			s := ""
			for _, m := range o.Matches {
				s += line("match", m.Name, m.PathRegex, m.Methods, headers(nil))
			}
			return s, err
		}},
		{"specs.smi-spec.io/v1alpha2", "HTTPRouteGroup", groupTop(someHeaders), func(b []byte) (string, error) {
			var o specs2.HTTPRouteGroup
			err := yaml.UnmarshalStrict(b, &o)
			s := ""
			for _, m := range o.Matches {
				s += line("match", m.Name, m.PathRegex, m.Methods, headers(m.Headers))
			}
			return s, err
		}},
		{"specs.smi-spec.io/v1alpha3", "HTTPRouteGroup", groupSpec(someHeaders), func(b []byte) (string, error) {
			var o specs3.HTTPRouteGroup
			err := yaml.UnmarshalStrict(b, &o)
			s := ""
			for _, m := range o.Spec.Matches {
				s += line("match", m.Name, m.PathRegex, m.Methods, headers(m.Headers))
			}
			return s, err
		}},
		{"specs.smi-spec.io/v1alpha4", "HTTPRouteGroup", groupSpec(someHeaders), func(b []byte) (string, error) {
			var o specs4.HTTPRouteGroup
			err := yaml.UnmarshalStrict(b, &o)
			s := ""
			for _, m := range o.Spec.Matches {
				s += line("match", m.Name, m.PathRegex, m.Methods, headers(m.Headers))
			}
			return s, err
		}},
		{"specs.smi-spec.io/v1alpha4", "TCPRoute", "spec:\n  matches:\n    ports: [80, 443]\n", func(b []byte) (string, error) {
			var o specs4.TCPRoute
			err := yaml.UnmarshalStrict(b, &o)
			return line("ports", o.Spec.Matches.Ports), err
		}},
		{"specs.smi-spec.io/v1alpha4", "UDPRoute", "spec:\n  matches:\n    name: dns\n    ports: [53]\n", func(b []byte) (string, error) {
			var o specs4.UDPRoute
			err := yaml.UnmarshalStrict(b, &o)
			return line("ports", o.Spec.Matches.Ports), err
		}},
		{"split.smi-spec.io/v1alpha1", "TrafficSplit", splitSpec("1", "500m", ""), func(b []byte) (string, error) {
			var o split1.TrafficSplit
			err := yaml.UnmarshalStrict(b, &o)
			s := line("split", o.Spec.Service)
			for _, k := range o.Spec.Backends {
				s += line("backend", k.Service, k.Weight.MilliValue())
			}
			return s, err
		}},
		{"split.smi-spec.io/v1alpha2", "TrafficSplit", splitSpec("90", "10.0", ""), func(b []byte) (string, error) {
			var o split2.TrafficSplit
			err := yaml.UnmarshalStrict(b, &o)
			s := line("split", o.Spec.Service)
			for _, k := range o.Spec.Backends {
				s += line("backend", k.Service, k.Weight)
			}
			return s, err
		}},
		{"split.smi-spec.io/v1alpha3", "TrafficSplit", splitSpec("90", "0", splitMatches), func(b []byte) (string, error) {
			var o split3.TrafficSplit
			err := yaml.UnmarshalStrict(b, &o)
			s := line("split", o.Spec.Service)
			for _, k := range o.Spec.Backends {
				s += line("backend", k.Service, k.Weight)
			}
			for _, m := range o.Spec.Matches {
				s += line("match", *m.APIGroup, m.Kind, m.Name)
			}
			return s, err
		}},
		{"split.smi-spec.io/v1alpha4", "TrafficSplit", splitSpec("1000", "500", splitMatches), func(b []byte) (string, error) {
			var o split4.TrafficSplit
			err := yaml.UnmarshalStrict(b, &o)
			s := line("split", o.Spec.Service)
			for _, k := range o.Spec.Backends {
				s += line("backend", k.Service, k.Weight)
			}
			for _, m := range o.Spec.Matches {
				s += line("match", *m.APIGroup, m.Kind, m.Name)
			}
			return s, err
		}},
	} {
		text := []byte("apiVersion: " + c.apiVersion + "\nkind: " + c.kind + "\nmetadata: {name: x, namespace: shop}\n" + c.body)
		want, err := c.sdk(text)
		if err != nil {
			t.Errorf("%s %s: the SDK does not read it: %v", c.apiVersion, c.kind, err)
			continue
		}
		files, found := syntax.Parse(source.FromMap(map[string][]byte{"x.yaml": text}))
		if len(found) > 0 || len(files.Objects) != 1 {
			t.Errorf("%s %s: %v", c.apiVersion, c.kind, found)
			continue
		}
		if got := ours(files.Objects[0]); got != want {
			t.Errorf("%s %s: we read\n%s\nthe SDK\n%s", c.apiVersion, c.kind, got, want)
		}
	}
}

func line(words ...any) string {
	for i, w := range words {
		if list, ok := w.([]string); ok && len(list) == 0 {
			words[i] = "[]"
		}
	}
	return strings.TrimSpace(fmt.Sprintln(words...)) + "\n"
}

func headers(m map[string]string) string {
	var out []string
	for k, v := range m {
		out = append(out, k+"="+v)
	}
	sort.Strings(out)
	return strings.Join(out, ",")
}

// ours writes an object as the oracles above do.
func ours(o *syntax.Object) string {
	s := ""
	switch {
	case o.TrafficTarget != nil:
		t := o.TrafficTarget
		port := int64(0)
		if t.Destination.Port != nil {
			port = *t.Destination.Port
		}
		s = line("to", t.Destination.Kind, t.Destination.Name, t.Destination.Namespace, port)
		for _, r := range t.Rules {
			s += line("rule", r.Kind, r.Name, r.Matches)
		}
		for _, f := range t.Sources {
			s += line("from", f.Kind, f.Name, f.Namespace, 0)
		}
	case o.HTTPRouteGroup != nil:
		for _, m := range o.HTTPRouteGroup.Matches {
			var h []string
			for _, x := range m.Headers {
				h = append(h, x.Name+"="+x.Regex)
			}
			slices.Sort(h)
			s += line("match", m.Name, m.PathRegex, m.Methods, strings.Join(h, ","))
		}
	case o.TCPRoute != nil:
		s = line("ports", o.TCPRoute.Ports)
	case o.UDPRoute != nil:
		s = line("ports", o.UDPRoute.Ports)
	case o.TrafficSplit != nil:
		s = line("split", o.TrafficSplit.Service)
		for _, b := range o.TrafficSplit.Backends {
			s += line("backend", b.Service, b.Weight)
		}
		for _, m := range o.TrafficSplit.Matches {
			s += line("match", m.APIGroup, m.Kind, m.Name)
		}
	}
	return s
}

const targetTop = `destination: {kind: ServiceAccount, name: web, namespace: shop, port: 8080}
specs:
- {kind: HTTPRouteGroup, name: routes, matches: [get, put]}
- {kind: TCPRoute, name: tcp}
sources:
- {kind: ServiceAccount, name: client, namespace: other}
`

func targetSpec(port string) string {
	return `spec:
  destination:
    kind: ServiceAccount
    name: web
    namespace: shop` + port + `
  rules:
  - {kind: HTTPRouteGroup, name: routes, matches: [get, put]}
  - {kind: TCPRoute, name: tcp}
  sources:
  - {kind: ServiceAccount, name: client, namespace: other}
  - {kind: ServiceAccount, name: more, namespace: shop}
`
}

const someHeaders = `
  headers:
  - x-b: ^b$
  - X-A: a.*`

func groupTop(headers string) string {
	return "matches:\n- name: get\n  pathRegex: /api/.*\n  methods: [GET, HEAD]" + headers + "\n- name: all\n  pathRegex: \".*\"\n  methods: [\"*\"]\n"
}

func groupSpec(headers string) string {
	return "spec:\n  " + strings.ReplaceAll(strings.TrimSuffix(groupTop(headers), "\n"), "\n", "\n  ") + "\n"
}

const splitMatches = "  matches:\n  - {apiGroup: specs.smi-spec.io, kind: HTTPRouteGroup, name: canary}\n"

func splitSpec(a, b, matches string) string {
	return "spec:\n  service: web\n  backends:\n  - {service: web-v1, weight: " + a + "}\n  - {service: web-v2, weight: " + b + "}\n" + matches
}
