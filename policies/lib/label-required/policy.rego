# METADATA
# scope: package
# title: an object lacks a label that all must have
# description: |
#   Whose is this target, and who may change it? The parameter `labels` lists what
#   every object of policy must say: a name, and if need be an expression that the
#   whole value must match. Nothing is required until it is set.
# custom:
#   meshc:
#     id: MSH5501
#     severity: warning
#     scope: object
#     kinds: [TrafficTarget, HTTPRouteGroup, TCPRoute, UDPRoute, TrafficSplit, IdentityBinding, Service, Namespace, Deployment, StatefulSet, DaemonSet]
#     help: add the label under `metadata.labels`
#     since: 0.2.0
#     params:
#       labels:
#         type: array
#         default: []
#         help: "what objects must say: [{name: team}, {name: tier, pattern: '[0-3]'}]"
#       kinds:
#         type: array
#         default: [TrafficTarget, HTTPRouteGroup, TCPRoute, UDPRoute, TrafficSplit, IdentityBinding]
#         help: the kinds that must say it
package meshc.rules.label_required

deny contains {
	"path": ["metadata", "labels"],
	"message": sprintf("the label %q is missing", [required.name]),
} if {
	some required in wanted
	not input.object.metadata.labels[required.name]
}

deny contains {
	"path": ["metadata", "labels", required.name],
	"message": sprintf("the label %q has the value %q, which does not match %q", [required.name, value, required.pattern]),
} if {
	some required in wanted
	value := input.object.metadata.labels[required.name]
	not regex.match(sprintf("^(?:%s)$", [required.pattern]), value)
}

wanted := {{"name": name, "pattern": pattern} |
	some label in data.params.labels
	name := label.name
	pattern := object.get(label, "pattern", ".*")
	input.object.kind in data.params.kinds
}
