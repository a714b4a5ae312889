# METADATA
# scope: package
# title: a target names a route group or match that is not there
# description: One of the five rules that meshc, conftest and gator are compared by.
# custom:
#   meshc:
#     id: BENCH001
#     severity: error
#     scope: object
#     kinds: [TrafficTarget]
#     help: mend it
package bench.references

deny contains {"path": ["spec", "rules", i], "message": sprintf("there is no route group %s", [key])} if {
	some i, r in input.object.spec.rules
	r.kind == "HTTPRouteGroup"
	key := concat("/", [input.object.metadata.namespace, r.name])
	not data.mesh.objects.HTTPRouteGroup[key]
}

deny contains {"path": ["spec", "rules", i], "message": sprintf("%s has no match %s", [key, m])} if {
	some i, r in input.object.spec.rules
	key := concat("/", [input.object.metadata.namespace, r.name])
	some m in r.matches
	not m in {n.name | some n in data.mesh.objects.HTTPRouteGroup[key].spec.matches}
}
