# METADATA
# scope: package
# title: a match allows writing on every path
# description: |
#   The match names methods that change things, and no path: whatever handler the
#   service has or will get for them is allowed, those for its administrators among
#   them. That a rule allows any method on any path to another namespace is told by
#   MSH1501.
# custom:
#   meshc:
#     id: MSH1518
#     severity: info
#     scope: object
#     kinds: [HTTPRouteGroup]
#     help: name the paths that callers may write to
#     since: 0.2.0
#     params:
#       methods:
#         type: array
#         default: [POST, PUT, PATCH, DELETE]
#         help: the methods that change something
package meshc.rules.write_anywhere

deny contains {
	"path": ["spec", "matches", i, "methods"],
	"message": sprintf("%q allows %s on every path", [match.name, concat(" and ", sort(writes))]),
	"effect": "every handler that changes something is opened to the sources",
} if {
	some i, match in input.object.spec.matches
	writes := {method | some method in match.methods; method in data.params.methods}
	count(writes) > 0
	not match.headers
	object.get(match, "pathRegex", "") in {"", "/", "/.*", ".*", "^/", "^/.*", "^/.*$", "^.*$", "/.*$"}
}
