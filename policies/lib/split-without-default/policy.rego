# METADATA
# scope: package
# title: a split leaves other requests to a root that nothing backs
# description: |
#   A split with matches takes the requests that match; all others go to the root
#   service itself. If nothing backs the root and no split without matches catches the
#   rest, they are answered 503. A root that is not known at all is told by MSH2013,
#   splits that are never reached by MSH2012.
# custom:
#   meshc:
#     id: MSH2501
#     severity: warning
#     scope: object
#     kinds: [TrafficSplit]
#     help: add a split of the same root without `matches`, or let workloads back the root
#     since: 0.2.0
package meshc.rules.split_without_default

deny contains {
	"path": ["spec", "matches"],
	"message": sprintf("requests that match nothing go to %s, which nothing backs", [root.name]),
	"effect": "they are answered 503",
} if {
	count(input.object.spec.matches) > 0
	name := concat("/", ["TrafficSplit", input.object.metadata.namespace, input.object.metadata.name])
	root := data.mesh.services[data.mesh.splits[name].root]
	count(root.accounts) == 0
	every other in root.roots { count(data.mesh.splits[other].matches) > 0 }
}
