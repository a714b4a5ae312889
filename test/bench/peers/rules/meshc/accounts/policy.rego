# METADATA
# scope: package
# title: a target names an account that is not there
# description: One of the five rules that meshc, conftest and gator are compared by.
# custom:
#   meshc:
#     id: BENCH002
#     severity: error
#     scope: object
#     kinds: [TrafficTarget]
#     help: mend it
package bench.accounts

deny contains {"path": ["spec"], "message": sprintf("there is no account %s", [key])} if {
	some s in array.concat(input.object.spec.sources, [input.object.spec.destination])
	s.kind == "ServiceAccount"
	key := concat("/", [s.namespace, s.name])
	not data.mesh.objects.ServiceAccount[key]
}
