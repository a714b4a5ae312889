# Five rules that look across documents, for `conftest test --combine`.
package main

docs := [d.contents | some d in input]

# A comprehension is evaluated once; a partial rule would be walked for each look-up.
named := {kind: {name_of(o): o | some o in docs; o.kind == kind} |
	some kind in ["HTTPRouteGroup", "TrafficTarget", "TrafficSplit", "Service", "ServiceAccount"]
}

name_of(o) := sprintf("%s/%s", [o.metadata.namespace, o.metadata.name])

matches := {group: {m.name | some m in o.spec.matches} | some group, o in named.HTTPRouteGroup}

# A rule of a target names a route group, and matches in it, that exist.
deny contains sprintf("%s: there is no route group %s", [name_of(t), key]) if {
	some t in named.TrafficTarget
	some r in t.spec.rules
	r.kind == "HTTPRouteGroup"
	key := sprintf("%s/%s", [t.metadata.namespace, r.name])
	not named.HTTPRouteGroup[key]
}

deny contains sprintf("%s: %s has no match %s", [name_of(t), key, m]) if {
	some t in named.TrafficTarget
	some r in t.spec.rules
	key := sprintf("%s/%s", [t.metadata.namespace, r.name])
	some m in r.matches
	not m in matches[key]
}

# Sources and destination of a target are accounts that exist.
deny contains sprintf("%s: there is no account %s", [name_of(t), key]) if {
	some t in named.TrafficTarget
	some s in array.concat(t.spec.sources, [t.spec.destination])
	s.kind == "ServiceAccount"
	key := sprintf("%s/%s", [s.namespace, s.name])
	not named.ServiceAccount[key]
}

# The backends of a split are services that exist, and their weights are some.
deny contains sprintf("%s: there is no service %s", [name_of(t), key]) if {
	some t in named.TrafficSplit
	some b in t.spec.backends
	key := sprintf("%s/%s", [t.metadata.namespace, b.service])
	not named.Service[key]
}

deny contains sprintf("%s: the weights are 0", [name_of(t)]) if {
	some t in named.TrafficSplit
	sum([b.weight | some b in t.spec.backends]) == 0
}

# Expressions can be read, and methods are known.
deny contains sprintf("%s: %s is no expression", [name_of(g), m.pathRegex]) if {
	some g in named.HTTPRouteGroup
	some m in g.spec.matches
	not regex.is_valid(m.pathRegex)
}

deny contains sprintf("%s: there is no method %s", [name_of(g), method]) if {
	some g in named.HTTPRouteGroup
	some m in g.spec.matches
	some method in m.methods
	not method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "*"}
}

# A service is the root of one split.
roots[key] contains t.metadata.name if {
	some t in named.TrafficSplit
	key := sprintf("%s/%s", [t.metadata.namespace, t.spec.service])
}

deny contains sprintf("%s is the root of %d splits", [key, count(names)]) if {
	some key, names in roots
	count(names) > 1
}
