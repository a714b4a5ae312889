package syntax_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler/syntax"
)

// What an editor offers is what the decoder takes, in the version that is written.
func TestExpectedIsWhatTheDecoderAsksFor(t *testing.T) {
	for _, c := range []struct {
		version, kind string
		path          []any
		fields, words string
	}{
		{"access.smi-spec.io/v1alpha3", "TrafficTarget", nil, "apiVersion kind metadata spec status", ""},
		{"access.smi-spec.io/v1alpha1", "TrafficTarget", nil, "apiVersion destination kind metadata sources spec specs status", ""},
		{"access.smi-spec.io/v1alpha3", "TrafficTarget", []any{"spec", "rules", 7}, "kind matches name", ""},
		{"access.smi-spec.io/v1alpha2", "TrafficTarget", []any{"spec", "destination"}, "kind name namespace port", ""},
		{"access.smi-spec.io/v1alpha4", "TrafficTarget", []any{"spec", "sources", 0}, "group kind name namespace", ""},
		{"specs.smi-spec.io/v1alpha4", "HTTPRouteGroup", []any{"spec", "matches", 2}, "headers methods name pathRegex", ""},
		{"specs.smi-spec.io/v1alpha4", "HTTPRouteGroup", []any{"spec", "matches", 2, "methods", 1}, "", "* GET HEAD PUT POST DELETE CONNECT OPTIONS TRACE PATCH"},
		{"split.smi-spec.io/v1alpha2", "TrafficSplit", []any{"spec", "backends", 0}, "service weight", ""},
		{"meshc.dev/v1alpha1", "VerdictTable", []any{"spec", "cases", 0, "expect"}, "", "allow deny mixed"},
		{"meshc.dev/v1alpha1", "Mesh", []any{"spec", "waivers", 0}, "code expires owner path reason target", ""},
		{"meshc.dev/v1alpha1", "Mesh", []any{"spec", "denial", "body"}, "", "true false"},
		{"meshc.dev/v1alpha1", "Mesh", []any{"spec", "environments", "prod", "rules", "severity", "MSH1501"}, "", "error warning info off"},
		{"apps/v1", "Deployment", []any{"spec", "selector"}, "matchExpressions matchLabels", ""},
		{"v9", "Service", nil, "", ""},
	} {
		fields, words := syntax.Expected(c.version, c.kind, c.path)
		if !slices.Equal(fields, strings.Fields(c.fields)) || !slices.Equal(words, strings.Fields(c.words)) {
			t.Errorf("%s %s at %v takes %v and %v", c.version, c.kind, c.path, fields, words)
		}
	}
	for _, k := range syntax.Kinds() {
		if fields, _ := syntax.Expected(k.APIVersion, k.Kind, nil); !slices.Contains(fields, "metadata") {
			t.Errorf("%v is expected to hold %v", k, fields)
		}
	}
}
