# METADATA
# scope: package
# title: a split names a service that is not there, or no weight
# description: One of the five rules that meshc, conftest and gator are compared by.
# custom:
#   meshc:
#     id: BENCH003
#     severity: error
#     scope: object
#     kinds: [TrafficSplit]
#     help: mend it
package bench.backends

deny contains {"path": ["spec", "backends", i], "message": sprintf("there is no service %s", [key])} if {
	some i, b in input.object.spec.backends
	key := concat("/", [input.object.metadata.namespace, b.service])
	not data.mesh.objects.Service[key]
}

deny contains {"path": ["spec", "backends"], "message": "the weights are 0"} if {
	sum([b.weight | some b in input.object.spec.backends]) == 0
}
