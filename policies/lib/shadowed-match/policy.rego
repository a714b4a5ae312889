# METADATA
# scope: package
# title: a match is shadowed by another
# description: |
#   Matches of a target are ORed: where one of them allows every method on every path,
#   or on the same path, a narrower one beside it takes nothing away. Who reads the
#   narrow one believes in a limit that is not there. Splits that are never reached
#   are told by MSH2012.
# custom:
#   meshc:
#     id: MSH1507
#     severity: info
#     scope: object
#     kinds: [TrafficTarget]
#     help: take the wide match out of the target, or delete the narrow one
#     since: 0.2.0
package meshc.rules.shadowed_match

deny contains {
	"path": ["spec", "rules", i],
	"message": sprintf("%q narrows nothing, as %q allows it already", [narrow.name, wide.name]),
	"effect": "the calls that the narrow match leaves out are allowed all the same",
	"related": [
		{"object": group, "path": ["spec", "matches", at], "label": "this one allows more"},
		{"object": group, "path": ["spec", "matches", k], "label": "this one is shadowed"},
	],
} if {
	some i, rule in input.object.spec.rules
	rule.kind == "HTTPRouteGroup"
	group := data.mesh.objects.HTTPRouteGroup[concat("/", [input.object.metadata.namespace, rule.name])]

	# The first that allows every request on a path: of equal keys the last counts.
	wholes := [{path_of(m): n} | some n, m in group.spec.matches; any_request(m); picked(rule, m)]
	count(wholes) > 0
	whole := object.union_n(array.reverse(wholes))
	some k, narrow in group.spec.matches
	picked(rule, narrow)
	at := object.get(whole, "", object.get(whole, path_of(narrow), k))
	at != k
	wide := group.spec.matches[at]
}

picked(rule, _) if not rule.matches

picked(rule, match) if match.name in rule.matches

# The path of a match; "" is every path.
path_of(match) := path if {
	path := match.pathRegex
	not path in every_path
} else := ""

every_path := {"/", "/.*", ".*", "^/", "^/.*", "^/.*$", "^.*$", "/.*$"}

any_request(match) if {
	not match.headers
	any_method(match)
}

any_method(match) if not match.methods

any_method(match) if "*" in match.methods
