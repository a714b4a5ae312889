# METADATA
# scope: package
# title: a target lets nearly everybody in
# description: |
#   SMI has no word for everyone, so it is written as a list: of all accounts, or of a
#   binding that selects them. Such a target protects nothing, and is seldom looked at
#   again. What is counted are the sources after bindings are resolved, as a share of
#   the identities that the mesh knows. That a binding selects every pod of a
#   namespace is also told at the binding (MSH3012).
# custom:
#   meshc:
#     id: MSH1502
#     severity: warning
#     scope: object
#     kinds: [TrafficTarget]
#     help: name those that need the calls; for what is meant for all, raise `share` or take the service out of strict mode
#     since: 0.2.0
#     params:
#       least:
#         type: number
#         default: 10
#         help: how many sources a target may always have
#       share:
#         type: number
#         default: 50
#         help: percent of the mesh's identities that a target may let in
package meshc.rules.grant_to_everyone

deny contains {
	"path": ["spec", "sources"],
	"message": sprintf("%d of the %d identities of the mesh are let in", [let, all]),
	"effect": sprintf("the target keeps hardly anybody from %s", [grant.destination]),
} if {
	name := concat("/", ["TrafficTarget", input.object.metadata.namespace, input.object.metadata.name])
	some own in data.mesh.references[name].grants
	grant := data.mesh.grants[own]
	let := count(grant.sources)
	let >= data.params.least
	all := count(data.mesh.identities)
	let * 100 > all * data.params.share
}
