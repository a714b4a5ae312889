package crds

// The schemas are put together from these. They say what type a value is, and no more:
// which words and numbers there are, and what may not be left out, the compiler knows, and
// says it with a code and a way out. Nobody's word is taken unjudged for that: without its
// webhook no policy comes in, and the controller judges what it reads.
var (
	str    = object{"type": "string"}
	strs   = list(str)
	number = object{"type": "integer", "format": "int64"}
	truth  = object{"type": "boolean"}
	strMap = object{"type": "object", "additionalProperties": str}
)

func list(of object) object { return object{"type": "array", "items": of} }

func enum(words ...any) object { return object{"type": "string", "enum": words} }

// rec is a record; required fields are listed after its properties.
func rec(properties object, required ...any) object {
	o := object{"type": "object", "properties": properties}
	if len(required) > 0 {
		o["required"] = required
	}
	return o
}

func plus(a object, more object) object {
	out := object{}
	for k, v := range a {
		out[k] = v
	}
	for k, v := range more {
		out[k] = v
	}
	return out
}

// under is a body that stands under spec; atTop one that does not, as in the oldest versions.
func under(body object) object { return rec(object{"spec": body}, "spec") }
func atTop(body object) object { return body }

// status is after kstatus: conditions by type, and the generation they are of.
var status = rec(object{
	"observedGeneration": object{"type": "integer", "format": "int64"},
	"conditions": object{"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": []any{"type"},
		"items": rec(object{
			"type": str, "status": enum("True", "False", "Unknown"), "reason": str, "message": str,
			"observedGeneration": object{"type": "integer", "format": "int64"},
			"lastTransitionTime": object{"type": "string", "format": "date-time"},
		}, "type", "status", "lastTransitionTime", "reason", "message")},
	"proxies":        object{"type": "integer", "format": "int32"},
	"programmed":     object{"type": "integer", "format": "int32"},
	"policyDigest":   str,
	"findings":       object{"type": "integer", "format": "int32"},
	"observedBundle": str,
	"bundleEpoch":    object{"type": "integer", "format": "int64"},
	// As Flux's controllers answer who asked them to look now.
	"lastHandledReconcileAt": str,
})

// columns are what `kubectl get` shows of a policy.
var columns = []any{
	column("Accepted", `.status.conditions[?(@.type=="Accepted")].status`),
	column("Programmed", `.status.conditions[?(@.type=="Programmed")].status`),
	column("Reason", `.status.conditions[?(@.type=="Accepted")].reason`),
	object{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
}

func column(name, path string) object {
	return object{"name": name, "type": "string", "jsonPath": path}
}

// kinds is the table; within a kind the versions are in order, the stored one last.
var kinds = []kind{
	{group: "access.smi-spec.io", name: "TrafficTarget", plural: "traffictargets", short: []string{"tt"}, columns: columns, versions: []version{
		{"v1alpha1", atTop(target("specs", object{"port": number}))},
		{"v1alpha2", under(target("rules", object{"port": number}))},
		{"v1alpha3", under(target("rules", nil))},
		{"v1alpha4", under(target("rules", object{"group": str}))},
	}},
	{group: "access.smi-spec.io", name: "IdentityBinding", plural: "identitybindings", columns: columns, versions: []version{
		{"v1alpha4", under(rec(object{"schemes": rec(object{
			"podLabelSelector": rec(object{"matchLabels": strMap}), "spiffeIdentities": strs, "serviceAccount": str,
		})}))},
	}},
	{group: "specs.smi-spec.io", name: "HTTPRouteGroup", plural: "httproutegroups", short: []string{"htr"}, columns: columns, versions: []version{
		{"v1alpha1", atTop(rec(object{"matches": list(httpMatch(nil))}))},
		{"v1alpha2", atTop(rec(object{"matches": list(httpMatch(object{"headers": headers}))}))},
		{"v1alpha3", under(rec(object{"matches": list(httpMatch(object{"headers": headers}))}))},
		{"v1alpha4", under(rec(object{"matches": list(httpMatch(object{"headers": headers}))}))},
	}},
	{group: "specs.smi-spec.io", name: "TCPRoute", plural: "tcproutes", short: []string{"tr"}, columns: columns, versions: []version{
		{"v1alpha1", rec(object{})},
		{"v1alpha2", rec(object{})},
		{"v1alpha3", rec(object{"spec": rec(object{})})},
		{"v1alpha4", under(portMatch)},
	}},
	{group: "specs.smi-spec.io", name: "UDPRoute", plural: "udproutes", short: []string{"ur"}, columns: columns, versions: []version{
		{"v1alpha4", under(portMatch)},
	}},
	{group: "split.smi-spec.io", name: "TrafficSplit", plural: "trafficsplits", short: []string{"ts"}, columns: columns, versions: []version{
		{"v1alpha1", under(split(object{"x-kubernetes-int-or-string": true}, nil))},
		{"v1alpha2", under(split(number, nil))},
		{"v1alpha3", under(split(number, object{"matches": list(reference)}))},
		{"v1alpha4", under(split(number, object{"matches": list(reference)}))},
	}},
	{group: "meshc.dev", name: "Mesh", plural: "meshes", cluster: true, versions: []version{{"v1alpha1", under(mesh())}}, status: object{"drift": object{"type": "integer", "format": "int32"}}, columns: []any{
		column("Mode", ".spec.mode"), column("Egress", ".spec.egress"),
		column("Ready", `.status.conditions[?(@.type=="Ready")].status`), column("Digest", ".status.policyDigest"), object{"name": "Drift", "type": "integer", "jsonPath": ".status.drift", "priority": 1},
		object{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
	}},
	{group: "meshc.dev", name: "BreakGlass", plural: "breakglasses", short: []string{"bg"}, versions: []version{{"v1alpha1", under(breakGlass)}}, status: glassStatus, columns: []any{
		column("From", ".spec.from"), column("To", ".spec.to"), column("State", ".status.state"),
		column("Until", ".spec.until"), column("By", ".spec.by"), column("Reason", ".spec.reason"),
		object{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
	}},
	{group: "meshc.dev", name: "Waivers", plural: "waivers", versions: []version{{"v1alpha1", under(rec(object{"waivers": list(anyRecord)}))}}, columns: columns},
}

var anyRecord = object{"type": "object", "x-kubernetes-preserve-unknown-fields": true}

// headers are a map in the specification's text and a list of maps in its own
// definition and every implementation; both are read.
var headers = object{"x-kubernetes-preserve-unknown-fields": true}

var portMatch = rec(object{"matches": rec(object{"name": str, "ports": list(number)})})

var reference = rec(object{"apiGroup": str, "kind": str, "name": str})

func target(rules string, more object) object {
	subject := rec(plus(object{"kind": str, "name": str, "namespace": str}, more))
	return rec(object{
		"destination": subject, "sources": list(subject),
		rules: list(rec(object{"kind": str, "name": str, "matches": strs})),
	})
}

func httpMatch(more object) object {
	return rec(plus(object{"name": str, "pathRegex": str, "methods": strs}, more))
}

func split(weight, more object) object {
	return rec(plus(object{
		"service": str, "backends": list(rec(object{"service": str, "weight": weight})),
	}, more))
}
