# METADATA
# scope: package
# title: a target lets in a namespace that must stay out
# description: |
#   Some namespaces are islands: the one of payments takes calls from the shop, and
#   from nobody else. The parameter `boundaries` names for each such namespace those
#   that may call it, where `*` stands for any text; calls within a namespace are its
#   own concern. What is judged are the sources after bindings are resolved.
# custom:
#   meshc:
#     id: MSH1517
#     severity: error
#     scope: object
#     kinds: [TrafficTarget]
#     help: take the source out of the target, or add its namespace to the boundary in meshc.yaml
#     since: 0.2.0
#     params:
#       boundaries:
#         type: object
#         default: {}
#         help: "who may call a namespace from outside: {bank: [shop, web-*]}"
package meshc.rules.namespace_boundary

deny contains {
	"path": where(source),
	"message": sprintf("%s is of namespace %s, which must not call %s", [source, from, own]),
	"effect": sprintf("the target lets it in to %s", [grant.destination]),
} if {
	own := input.object.metadata.namespace
	allowed := data.params.boundaries[own]
	name := concat("/", ["TrafficTarget", own, input.object.metadata.name])
	some g in data.mesh.references[name].grants
	grant := data.mesh.grants[g]
	some source in grant.sources
	from := data.mesh.identities[source].namespace
	from != own
	every pattern in allowed { not glob.match(pattern, [], from) }
}

# The source as written, or the whole list where a binding stands for it.
where(source) := ["spec", "sources", i] if {
	some i, s in input.object.spec.sources
	source == concat("/", [s.namespace, s.name])
} else := ["spec", "sources"]
