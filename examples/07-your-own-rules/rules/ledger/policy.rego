# METADATA
# scope: package
# title: writing to a guarded namespace was not reviewed
# description: |
#   Who may write to a guarded namespace from outside of it may move money. Such a
#   grant is made only after somebody of security has read it; the label says who.
# custom:
#   meshc:
#     id: SHOP002
#     severity: error
#     scope: object
#     kinds: [TrafficTarget]
#     help: have it reviewed, and say by whom in the label `reviewed-by`
#     params:
#       namespaces:
#         type: array
#         default: []
#         help: the guarded namespaces
package rules.ledger

deny contains {
	"path": ["spec", "sources", i, "name"],
	"message": sprintf("%s/%s may write to %q, and nobody reviewed that", [source.namespace, source.name, guarded]),
	"related": [{"object": grant.object, "label": "this grant allows writing"}],
} if {
	not input.object.metadata.labels["reviewed-by"]
	guarded := input.object.metadata.namespace
	guarded in data.params.namespaces
	some i, source in input.object.spec.sources
	source.namespace != guarded

	# What the target means is resolved already: its grants are found by its name.
	ref := sprintf("TrafficTarget/%s/%s", [guarded, input.object.metadata.name])
	some name in data.mesh.references[ref].grants
	grant := data.mesh.grants[name]
	writes(grant)
}

writes(grant) if grant.anyRequest

writes(grant) if {
	some match in grant.http
	some method in match.methods
	method in {"*", "POST", "PUT", "PATCH", "DELETE"}
}
