# METADATA
# scope: package
# title: a regular expression is costly
# description: |
#   Every request through the proxy is matched against the expressions of its routes.
#   Proxies use RE2, which cannot be made to run away, but its work grows with the
#   expression, and people stop being able to tell what it allows. Long ones, those
#   with many wildcards, and counts of many repetitions are reported long before the
#   limit at which a build fails (MSH1016).
# custom:
#   meshc:
#     id: MSH1510
#     severity: info
#     scope: object
#     kinds: [HTTPRouteGroup]
#     help: write several matches, or let the service judge what lies deep in the path
#     since: 0.2.0
#     params:
#       length:
#         type: number
#         default: 200
#         help: how many characters an expression may have
#       wildcards:
#         type: number
#         default: 4
#         help: how many `.*` and `.+` it may have
#       repetitions:
#         type: number
#         default: 100
#         help: how often it may repeat a part
package meshc.rules.costly_regex

deny contains finding(i, sprintf("has %d characters", [size])) if {
	some i, match in input.object.spec.matches
	size := count(match.pathRegex)
	size > data.params.length
}

deny contains finding(i, sprintf("has %d wildcards", [wild])) if {
	some i, match in input.object.spec.matches
	wild := strings.count(match.pathRegex, ".*") + strings.count(match.pathRegex, ".+")
	wild > data.params.wildcards
}

deny contains finding(i, sprintf("repeats a part %s times", [times[1]])) if {
	some i, match in input.object.spec.matches
	contains(match.pathRegex, "{")
	some times in regex.find_all_string_submatch_n(`\{(?:[0-9]*,)?([0-9]+)\}`, match.pathRegex, -1)
	to_number(times[1]) > data.params.repetitions
}

finding(i, fault) := {
	"path": ["spec", "matches", i, "pathRegex"],
	"message": sprintf("the expression %s", [fault]),
	"effect": "each request pays for it, and few readers can tell what it allows",
}
