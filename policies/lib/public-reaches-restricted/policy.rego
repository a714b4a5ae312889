# METADATA
# scope: package
# title: a public identity reaches a restricted one
# description: |
#   Each grant may look harmless while a chain of them does not: the shop front may
#   call the catalogue, the catalogue the stock, the stock the ledger. Whoever takes
#   over the first walks down the chain. Workloads, or their namespaces, say by a
#   label that they are `public` or `restricted`; no chain of grants may lead from
#   one to the other.
# custom:
#   meshc:
#     id: MSH1505
#     severity: error
#     scope: mesh
#     help: cut the chain at this target, or put a service that is meant to face the public in between and label it neither
#     since: 0.2.0
#     params:
#       label:
#         type: string
#         default: meshc.dev/exposure
#         help: the label of pods or namespaces that says public or restricted
package meshc.rules.public_reaches_restricted

deny contains {
	"object": grant.object,
	"path": ["spec", "sources"],
	"message": sprintf("%s is public and reaches %s, which is restricted; the last step is from %s", [start, end, source]),
	"effect": sprintf("who takes over %s can go on to %s", [start, end]),
} if {
	some start in tagged("public")
	reached := graph.reachable(data.mesh.calls, {start})
	some end in tagged("restricted")
	end in reached
	some name in data.mesh.identities[end].incoming
	grant := data.mesh.grants[name]
	some source in grant.sources
	source in reached
}

# The identities of workloads with a tag.
tagged(tag) := {workload.identity |
	some workload in data.mesh.workloads
	workload.meshed
	exposure(workload) == tag
}

exposure(workload) := workload.labels[data.params.label]

exposure(workload) := data.mesh.namespaces[workload.object.namespace].labels[data.params.label] if {
	not workload.labels[data.params.label]
}
