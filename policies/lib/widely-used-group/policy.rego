# METADATA
# scope: package
# title: many targets hang on one route group
# description: |
#   A match that is changed in a route group changes every target that uses it, in one
#   line that looks small. Where many targets share a group, a change for one caller
#   opens the service to all of them. `meshc diff` shows what a change opens; this
#   rule shows where such a change can happen.
# custom:
#   meshc:
#     id: MSH1516
#     severity: info
#     scope: object
#     kinds: [HTTPRouteGroup, TCPRoute]
#     help: give the callers that differ a route group of their own, or raise `most`
#     since: 0.2.0
#     params:
#       most:
#         type: number
#         default: 10
#         help: how many targets and splits may use one group
package meshc.rules.widely_used_group

deny contains {
	"path": ["metadata", "name"],
	"message": sprintf("%d targets and splits use this group, more than %d", [count(users), data.params.most]),
	"effect": "a change of one match changes what all of them mean",
} if {
	name := concat("/", [input.object.kind, input.object.metadata.namespace, input.object.metadata.name])
	users := data.mesh.references[name].from
	count(users) > data.params.most
}
