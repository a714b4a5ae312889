# METADATA
# scope: package
# title: a target names the default service account
# description: |
#   Every pod that asks for no service account runs as `default`. A grant to it, or
#   of it, holds for whatever anybody will ever start in the namespace without
#   naming an account: a debug pod, a job of another team, a new release.
# custom:
#   meshc:
#     id: MSH3501
#     severity: warning
#     scope: object
#     kinds: [TrafficTarget]
#     help: give the workload a service account of its own, and name that
#     since: 0.2.0
package meshc.rules.default_account

deny contains {
	"path": ["spec", "sources", i, "name"],
	"message": sprintf("the source is the default account of namespace %q", [source.namespace]),
	"effect": sprintf("every workload of %s without an account of its own may make these calls", [source.namespace]),
} if {
	some i, source in input.object.spec.sources
	source.kind == "ServiceAccount"
	source.name == "default"
}

deny contains {
	"path": ["spec", "destination", "name"],
	"message": "the destination is the default account of its namespace",
	"effect": "every workload of the namespace without an account of its own is opened",
} if {
	destination := input.object.spec.destination
	destination.kind == "ServiceAccount"
	destination.name == "default"
}
