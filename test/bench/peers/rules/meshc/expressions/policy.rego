# METADATA
# scope: package
# title: an expression or method is none
# description: One of the five rules that meshc, conftest and gator are compared by.
# custom:
#   meshc:
#     id: BENCH004
#     severity: error
#     scope: object
#     kinds: [HTTPRouteGroup]
#     help: mend it
package bench.expressions

deny contains {"path": ["spec", "matches", i, "pathRegex"], "message": sprintf("%s is no expression", [m.pathRegex])} if {
	some i, m in input.object.spec.matches
	not regex.is_valid(m.pathRegex)
}

deny contains {"path": ["spec", "matches", i, "methods"], "message": sprintf("there is no method %s", [method])} if {
	some i, m in input.object.spec.matches
	some method in m.methods
	not method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "*"}
}
