package live

import "github.com/meshc/meshc/compiler/syntax"

// kind is a kind of policy that is watched, in the version that is stored: reading it
// needs nobody who converts, and the one who converts is this process.
type kind struct {
	group, version, name, plural string
	cluster                      bool // not in a namespace
}

var kinds = []kind{
	{"access.smi-spec.io", "v1alpha4", "TrafficTarget", "traffictargets", false},
	{"access.smi-spec.io", "v1alpha4", "IdentityBinding", "identitybindings", false},
	{"specs.smi-spec.io", "v1alpha4", "HTTPRouteGroup", "httproutegroups", false},
	{"specs.smi-spec.io", "v1alpha4", "TCPRoute", "tcproutes", false},
	{"specs.smi-spec.io", "v1alpha4", "UDPRoute", "udproutes", false},
	{"split.smi-spec.io", "v1alpha4", "TrafficSplit", "trafficsplits", false},
	{"meshc.dev", "v1alpha1", "Mesh", "meshes", true},
	{"meshc.dev", "v1alpha1", "Waivers", "waivers", false},
	{"meshc.dev", "v1alpha1", glassKind, "breakglasses", false},
}

const meshKind = "Mesh"

// path is where the API server has an object of the kind; of all, without a name.
func (k kind) path(namespace, name string) []string {
	out := []string{"/apis", k.group, k.version}
	if namespace != "" {
		out = append(out, "namespaces", namespace)
	}
	if out = append(out, k.plural); name != "" {
		out = append(out, name)
	}
	return out
}

func kindOf(name string) (kind, bool) {
	for _, k := range kinds {
		if k.name == name {
			return k, true
		}
	}
	return kind{}, false
}

// isPolicy tells whether objects of the kind are policy: one with an error is refused.
// Others run whatever anybody finds with them.
func isPolicy(name syntax.Name) bool {
	_, ok := kindOf(name.Kind)
	return ok
}
