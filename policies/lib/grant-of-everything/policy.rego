# METADATA
# scope: package
# title: a target opens everything to another namespace
# description: |
#   A rule of the target allows any method on any path, and a source lives in
#   another namespace. Whoever gets hold of that source can call every handler of
#   the destination, those that its owners never meant for others among them:
#   debug pages, admin calls, and whatever is added next year.
# custom:
#   meshc:
#     id: MSH1501
#     severity: warning
#     scope: object
#     kinds: [TrafficTarget]
#     help: name the methods and paths that the other namespace needs
#     since: 0.2.0
#     params:
#       namespaces:
#         type: array
#         default: []
#         help: namespaces whose accounts may be granted everything, such as that of a gateway
package meshc.rules.grant_of_everything

deny contains {
	"path": ["spec", "rules", i],
	"message": sprintf("%q allows any request on any path, and %s is of another namespace", [match.name, source.name]),
	"effect": sprintf("%s/%s can call everything that %s serves", [source.namespace, source.name, target.spec.destination.name]),
	"related": [{
		"object": group,
		"path": ["spec", "matches", k],
		"label": "this match leaves nothing out",
	}],
} if {
	target := input.object
	some source in target.spec.sources
	source.namespace != target.metadata.namespace
	not source.namespace in data.params.namespaces
	some i, rule in target.spec.rules
	rule.kind == "HTTPRouteGroup"
	group := data.mesh.objects.HTTPRouteGroup[concat("/", [target.metadata.namespace, rule.name])]
	some k, match in group.spec.matches
	picked(rule, match)
	everything(match)
}

picked(rule, _) if not rule.matches

picked(rule, match) if match.name in rule.matches

everything(match) if {
	not match.headers
	any_path(match)
	any_method(match)
}

any_path(match) if not match.pathRegex

any_path(match) if match.pathRegex in {"/", "/.*", ".*", "^/", "^/.*", "^/.*$", "^.*$", "/.*$"}

any_method(match) if not match.methods

any_method(match) if "*" in match.methods
