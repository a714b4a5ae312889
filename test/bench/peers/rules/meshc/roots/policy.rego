# METADATA
# scope: package
# title: a service is the root of several splits
# description: One of the five rules that meshc, conftest and gator are compared by.
# custom:
#   meshc:
#     id: BENCH005
#     severity: error
#     scope: object
#     kinds: [TrafficSplit]
#     help: mend it
package bench.roots

deny contains {"path": ["spec", "service"], "message": sprintf("%s is the root of %d splits", [key, count(roots)])} if {
	key := concat("/", [input.object.metadata.namespace, input.object.spec.service])
	roots := data.mesh.services[key].roots
	count(roots) > 1
}
