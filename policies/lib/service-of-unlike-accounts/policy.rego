# METADATA
# scope: package
# title: the pods of a service may not make the same calls
# description: |
#   Pods behind one service run as several accounts, and what these may call differs:
#   the same request succeeds or fails, depending on the pod that gets it. That the
#   pods let in different callers is told by MSH3009.
# custom:
#   meshc:
#     id: MSH3503
#     severity: warning
#     scope: object
#     kinds: [Service]
#     help: run all pods of the service as one account, or grant all accounts the same
#     since: 0.2.0
package meshc.rules.service_of_unlike_accounts

deny contains {
	"path": ["spec", "selector"],
	"message": sprintf("its pods run as %s, and not all of them may call %s", [concat(", ", accounts), concat(", ", sort(some_may - all_may))]),
	"effect": "the same request succeeds or fails, depending on the pod that gets it",
} if {
	accounts := data.mesh.services[concat("/", [input.object.metadata.namespace, input.object.metadata.name])].accounts
	calls := {{callee | some callee in data.mesh.calls[a]} | some a in accounts}
	all_may := intersection(calls)
	some_may := union(calls)
	count(some_may - all_may) > 0
}
