# METADATA
# scope: package
# title: a match allows CONNECT or TRACE
# description: |
#   CONNECT asks a server to open a tunnel to somewhere else, so that what passes
#   through it is judged by nobody; TRACE asks it to repeat the request, with its
#   cookies and tokens. Hardly any service needs them, and few of those that answer
#   them know that they do. `*` allows both; that is reported with the parameter `star`.
# custom:
#   meshc:
#     id: MSH1503
#     severity: warning
#     scope: object
#     kinds: [HTTPRouteGroup]
#     help: list the methods that the service serves
#     since: 0.2.0
#     params:
#       star:
#         type: boolean
#         default: false
#         help: report the method * too, which allows CONNECT and TRACE
#       methods:
#         type: array
#         default: [CONNECT, TRACE]
#         help: the methods that no match should allow
package meshc.rules.trace_method

deny contains {
	"path": ["spec", "matches", i, "methods", k],
	"message": sprintf("%q allows %s", [match.name, method]),
} if {
	some i, match in input.object.spec.matches
	some k, method in match.methods
	method in data.params.methods
}

deny contains {
	"path": ["spec", "matches", i, "methods", k],
	"message": sprintf("%q allows every method, %s among them", [match.name, concat(" and ", data.params.methods)]),
} if {
	data.params.star
	some i, match in input.object.spec.matches
	some k, method in match.methods
	method == "*"
}
