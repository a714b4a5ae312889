package convert_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/meshc/meshc/admission/convert"
)

func read(t *testing.T, text string) convert.Object {
	t.Helper()
	var o convert.Object
	if err := yaml.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

func encode(t *testing.T, o convert.Object) string {
	t.Helper()
	raw, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// sayable are objects that every version can say, in each version's own form.
var sayable = map[string][4]string{
	"access.smi-spec.io TrafficTarget": {
		"destination: {kind: ServiceAccount, name: s, namespace: n}\nspecs: [{kind: HTTPRouteGroup, name: g, matches: [m]}]\nsources: [{kind: ServiceAccount, name: c, namespace: n}]",
		"spec: {destination: {kind: ServiceAccount, name: s, namespace: n}, rules: [{kind: HTTPRouteGroup, name: g, matches: [m]}], sources: [{kind: ServiceAccount, name: c, namespace: n}]}",
		"spec: {destination: {kind: ServiceAccount, name: s, namespace: n}, rules: [{kind: HTTPRouteGroup, name: g, matches: [m]}], sources: [{kind: ServiceAccount, name: c, namespace: n}]}",
		"spec: {destination: {kind: ServiceAccount, name: s, namespace: n}, rules: [{kind: HTTPRouteGroup, name: g, matches: [m]}], sources: [{kind: ServiceAccount, name: c, namespace: n}]}",
	},
	"specs.smi-spec.io HTTPRouteGroup": {
		"matches: [{name: m, pathRegex: /a, methods: [GET]}]", "matches: [{name: m, pathRegex: /a, methods: [GET]}]",
		"spec: {matches: [{name: m, pathRegex: /a, methods: [GET]}]}", "spec: {matches: [{name: m, pathRegex: /a, methods: [GET]}]}",
	},
	"specs.smi-spec.io TCPRoute": {"{}", "{}", "spec: {}", "spec: {}"},
	"split.smi-spec.io TrafficSplit": {
		"spec: {service: s, backends: [{service: a, weight: 90}, {service: b, weight: 10}]}", "spec: {service: s, backends: [{service: a, weight: 90}, {service: b, weight: 10}]}",
		"spec: {service: s, backends: [{service: a, weight: 90}, {service: b, weight: 10}]}", "spec: {service: s, backends: [{service: a, weight: 90}, {service: b, weight: 10}]}",
	},
}

func TestWhatEveryVersionCanSay(t *testing.T) {
	for kind, bodies := range sayable {
		group, name, _ := strings.Cut(kind, " ")
		form := func(v int) convert.Object {
			o := read(t, bodies[v-1])
			o["apiVersion"], o["kind"] = fmt.Sprintf("%s/v1alpha%d", group, v), name
			o["metadata"] = convert.Object{"name": "x", "namespace": "n", "labels": convert.Object{"a": "b"}}
			o["status"] = convert.Object{"proxies": 1.0}
			return o
		}
		for from := 1; from <= 4; from++ {
			for to := 1; to <= 4; to++ {
				given := form(from)
				before := encode(t, given)
				got, err := convert.To(given, fmt.Sprintf("%s/v1alpha%d", group, to))
				if err != nil {
					t.Errorf("%s from %d to %d: %v", kind, from, to, err)
					continue
				}
				if encode(t, got) != encode(t, form(to)) {
					t.Errorf("%s from %d to %d:\n%s\nwant\n%s", kind, from, to, encode(t, got), encode(t, form(to)))
				}
				if encode(t, given) != before {
					t.Errorf("%s from %d to %d changes what it was given", kind, from, to)
				}
			}
		}
	}
}

// What a version cannot say would mean more without it.
func TestWhatCannotBeSaidIsRefused(t *testing.T) {
	for _, c := range []struct{ object, to, says string }{
		{"{apiVersion: access.smi-spec.io/v1alpha2, kind: TrafficTarget, spec: {destination: {kind: ServiceAccount, name: s, port: 80}}}", "access.smi-spec.io/v1alpha3", "every port"},
		{"{apiVersion: access.smi-spec.io/v1alpha1, kind: TrafficTarget, destination: {name: d}, sources: [{kind: ServiceAccount, name: s, port: 80}]}", "access.smi-spec.io/v1alpha4", "every port"},
		{"{apiVersion: access.smi-spec.io/v1alpha4, kind: TrafficTarget, spec: {sources: [{kind: IdentityBinding, group: access.smi-spec.io, name: s}]}}", "access.smi-spec.io/v1alpha3", "another subject"},
		{"{apiVersion: specs.smi-spec.io/v1alpha2, kind: HTTPRouteGroup, matches: [{name: m, headers: {a: b}}]}", "specs.smi-spec.io/v1alpha1", "every request"},
		{"{apiVersion: specs.smi-spec.io/v1alpha4, kind: HTTPRouteGroup, spec: {matches: [{name: m, headers: [{a: b}]}]}}", "specs.smi-spec.io/v1alpha1", "every request"},
		{"{apiVersion: specs.smi-spec.io/v1alpha4, kind: TCPRoute, spec: {matches: {ports: [80]}}}", "specs.smi-spec.io/v1alpha3", "every port"},
		{"{apiVersion: split.smi-spec.io/v1alpha4, kind: TrafficSplit, spec: {matches: [{kind: HTTPRouteGroup, name: g}]}}", "split.smi-spec.io/v1alpha2", "every request"},
		{"{apiVersion: split.smi-spec.io/v1alpha1, kind: TrafficSplit, spec: {backends: [{service: a, weight: much}]}}", "split.smi-spec.io/v1alpha4", "no quantity"},
		{"{apiVersion: split.smi-spec.io/v1alpha1, kind: TrafficSplit}", "access.smi-spec.io/v1alpha1", "no versions"},
		{"{apiVersion: split.smi-spec.io/v1alpha5, kind: TrafficSplit}", "split.smi-spec.io/v1alpha1", "no versions"},
		{"{apiVersion: split.smi-spec.io/v1alpha1, kind: TrafficSplit, spec: {backends: [{service: a, weight: 9E}, {service: b, weight: 1}]}}", "split.smi-spec.io/v1alpha4", "too great"},
		{"{apiVersion: split.smi-spec.io/v1alpha1, kind: TrafficSplit, spec: {backends: [{service: a, weight: 4G}, {service: b, weight: 1m}]}}", "split.smi-spec.io/v1alpha4", "too great"},
		{"{apiVersion: access.smi-spec.io/v1alpha4, kind: TrafficTarget, metadata: {name: a}, spec: {metadata: {name: b, namespace: other}}}", "access.smi-spec.io/v1alpha1", "spec.metadata"},
		{"{apiVersion: v1, kind: Pod}", "v1", "no versions"},
	} {
		if got, err := convert.To(read(t, c.object), c.to); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s to %s: %v, %v; want an error that says %q", c.object, c.to, got, err, c.says)
		}
	}
}

// The specification's own example: 1 and 500m are two thirds and one third.
func TestWeightsKeepTheirRatio(t *testing.T) {
	for weights, want := range map[string]string{"[1, 500m]": "1000 500", "[\"10\", 0]": "10 0", "[1k, 2]": "1000 2", "[100m, 0.9]": "100 900"} {
		var w []any
		if err := yaml.Unmarshal([]byte(weights), &w); err != nil {
			t.Fatal(err)
		}
		o := convert.Object{"apiVersion": "split.smi-spec.io/v1alpha1", "kind": "TrafficSplit", "spec": convert.Object{
			"backends": []any{convert.Object{"weight": w[0]}, convert.Object{"weight": w[1]}}}}
		out, err := convert.To(o, "split.smi-spec.io/v1alpha4")
		if err != nil {
			t.Errorf("%s: %v", weights, err)
			continue
		}
		b := out["spec"].(convert.Object)["backends"].([]any)
		if got := fmt.Sprint(b[0].(convert.Object)["weight"], b[1].(convert.Object)["weight"]); got != want {
			t.Errorf("%s becomes %s, want %s", weights, got, want)
		}
	}
}

func TestReview(t *testing.T) {
	ask := func(objects string) string {
		out, _, err := convert.Review([]byte(`{"apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview", "request": {"uid": "u", "desiredAPIVersion": "specs.smi-spec.io/v1alpha3", "objects": [` + objects + `]}}`))
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	good, bad := `{"apiVersion": "specs.smi-spec.io/v1alpha4", "kind": "TCPRoute", "spec": {}}`, `{"apiVersion": "specs.smi-spec.io/v1alpha4", "kind": "TCPRoute", "spec": {"matches": {"ports": [1]}}}`
	if got := ask(good); !strings.Contains(got, `"status":"Success"`) || !strings.Contains(got, "v1alpha3") || !strings.Contains(got, `"uid":"u"`) {
		t.Error(got)
	}
	if got := ask(good + "," + bad); !strings.Contains(got, `"status":"Failure"`) || strings.Contains(got, `"spec"`) {
		t.Error("half of a list was converted:", got)
	}
	for _, wrong := range []string{"", "{}", `{"kind": "ConversionReview"}`} {
		if _, _, err := convert.Review([]byte(wrong)); err == nil {
			t.Errorf("%q is taken for a review", wrong)
		}
	}
}

// FuzzReview: whatever comes nothing panics, and what was converted says what the
// compiler is asked for.
func FuzzReview(f *testing.F) {
	f.Add([]byte(`{"kind": "ConversionReview", "request": {"desiredAPIVersion": "split.smi-spec.io/v1alpha1", "objects": [{"apiVersion": "split.smi-spec.io/v1alpha3", "kind": "TrafficSplit", "spec": {"matches": 7, "backends": [{"weight": 1e99}, null]}}]}}`))
	f.Add([]byte(`{"kind": "ConversionReview", "request": {"desiredAPIVersion": "access.smi-spec.io/v1alpha1", "objects": [{"apiVersion": "access.smi-spec.io/v1alpha4", "kind": "TrafficTarget", "spec": []}]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		out, _, err := convert.Review(body)
		if err == nil && !bytes.Contains(out, []byte(`"response"`)) {
			t.Errorf("a review without an answer: %s", out)
		}
	})
}
