# METADATA
# scope: package
# title: the weights of a split jump
# description: |
#   A backend gets so many more of a hundred calls than before the change that a fault
#   in it is everybody's at once. A release goes in steps, each long enough to look at
#   errors and latency. It compares with the state before the change, which a check
#   knows by `--base` or `--changed-since`; without one it finds nothing. A split that
#   is new is not judged: it has no weights to jump from.
# custom:
#   meshc:
#     id: MSH2505
#     severity: warning
#     scope: object
#     kinds: [TrafficSplit]
#     help: go there in several changes; or, to go back after a fault, waive the finding
#     since: 0.2.0
#     params:
#       most: {type: number, default: 50, help: how many more of a hundred calls a backend may get in one change}
package meshc.rules.weights_jump

deny contains {
	"path": ["spec", "backends", i, "weight"],
	"message": sprintf("%s gets %d of 100 calls, and got %d before", [backend.service, round(now), round(was)]),
	"effect": sprintf("more than %v of 100 calls go elsewhere at once", [data.params.most]),
} if {
	name := concat("/", [input.object.metadata.namespace, input.object.metadata.name])
	old := data.mesh.before.objects.TrafficSplit[name]
	some i, backend in input.object.spec.backends
	now := share(input.object.spec.backends, backend.service)
	was := share(old.spec.backends, backend.service)
	now - was > data.params.most
}

# What a service gets of a hundred calls.
share(backends, service) := (100 * sum([b.weight | some b in backends; b.service == service])) / total if {
	total := sum([b.weight | some b in backends])
	total > 0
}

share(backends, _) := 0 if sum([b.weight | some b in backends]) == 0
