package validate_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/meshc/meshc/admission/validate"
)

// The definitions say of what type a value is; which values there are, and what may not
// be left out, is judged here, with the code that `meshc check` gives.
func TestWhatTheDefinitionsTakeIsDeniedWithACode(t *testing.T) {
	const head = "apiVersion: GROUP.smi-spec.io/v1alpha4\nkind: KIND\nmetadata: {name: x, namespace: shop}\nspec: "
	s := live(t, map[string][]byte{"shop.yaml": []byte(shop)})
	for _, c := range []struct{ group, kind, spec, code string }{
		{"specs", "HTTPRouteGroup", "{matches: [{name: m, methods: [get]}]}", "MSH0115"},
		{"specs", "HTTPRouteGroup", "{matches: [{methods: [GET]}]}", "MSH0104"},
		{"specs", "TCPRoute", "{matches: {ports: [0]}}", "MSH0116"},
		{"specs", "TCPRoute", "{matches: {ports: [70000]}}", "MSH0116"},
		{"specs", "UDPRoute", "{matches: {ports: [-1]}}", "MSH0116"},
		{"split", "TrafficSplit", "{service: till, backends: [{service: a, weight: -1}]}", "MSH0114"},
		{"split", "TrafficSplit", "{service: till, backends: [{service: a, weight: 5000000000}]}", "MSH0114"},
		{"split", "TrafficSplit", "{service: till, backends: [{service: a}]}", "MSH0114"},
		{"split", "TrafficSplit", "{service: till, backends: [{weight: 1}]}", "MSH0104"},
		{"split", "TrafficSplit", "{backends: [{service: a, weight: 1}]}", "MSH0104"},
		{"split", "TrafficSplit", "{service: till}", "MSH0104"},
		{"split", "TrafficSplit", "{service: till, backends: [{service: a, weight: 1}], matches: [{kind: HTTPRouteGroup}]}", "MSH0104"},
		{"access", "TrafficTarget", "{}", "MSH1003"},
		{"access", "TrafficTarget", "{destination: {kind: ServiceAccount}}", "MSH0104"},
		{"access", "TrafficTarget", "{destination: {name: till}}", "MSH0104"},
		{"access", "TrafficTarget", "{destination: {kind: ServiceAccount, name: till}, rules: [{name: api}]}", "MSH0104"},
		{"access", "IdentityBinding", "{}", "MSH0104"},
		{"access", "IdentityBinding", "{schemes: {podLabelSelector: {}}}", "MSH0104"},
	} {
		manifest := strings.NewReplacer("GROUP", c.group, "KIND", c.kind).Replace(head) + c.spec
		for _, operation := range []string{"CREATE", "UPDATE"} {
			r := validate.Decide(s, ask(t, operation, manifest), false)
			if denied, _ := codesOf(r); r.Allowed || !slices.Contains(denied, c.code) {
				t.Errorf("%s %s %s: allowed %v, denied with %v, want %s", operation, c.kind, c.spec, r.Allowed, denied, c.code)
			}
		}
	}
}
