# METADATA
# scope: package
# title: a container may alter the interception
# description: |
#   Traffic is led to the proxy by rules in the pod's network namespace. A privileged
#   container, or one with a capability over the network, can delete them and then
#   speaks to everybody in plain text, granted or not; one that reads raw packets sees
#   what the proxy hands to its neighbours.
# custom:
#   meshc:
#     id: MSH3507
#     severity: warning
#     scope: object
#     kinds: [Deployment, StatefulSet, DaemonSet, ReplicaSet, ReplicationController, Job, CronJob, Pod, Rollout]
#     help: take the capability away, or run the container outside of the mesh
#     since: 0.2.0
#     params:
#       capabilities:
#         type: array
#         default: [ALL, NET_ADMIN, NET_RAW, SYS_ADMIN]
#         help: capabilities that can alter the interception or read past it
package meshc.rules.can_alter_interception

deny contains {
	"path": array.concat(base, [field, i, "securityContext", "capabilities", "add", k]),
	"message": sprintf("container %q has the capability %s", [c.name, capability]),
	"effect": effect,
} if {
	some base in pods
	pod := object.get(input.object, base, {})
	some field in ["containers", "initContainers"]
	some i, c in pod[field]
	some k, capability in c.securityContext.capabilities.add
	trim_prefix(upper(capability), "CAP_") in data.params.capabilities
	not outside
}

deny contains {
	"path": array.concat(base, [field, i, "securityContext", "privileged"]),
	"message": sprintf("container %q is privileged", [c.name]),
	"effect": effect,
} if {
	some base in pods
	pod := object.get(input.object, base, {})
	some field in ["containers", "initContainers"]
	some i, c in pod[field]
	c.securityContext.privileged == true
	not outside
}

effect := "it can lead its traffic around the proxy, and so around every grant"

# Where the kinds of workloads keep their pods.
pods := [["spec"], ["spec", "template", "spec"], ["spec", "jobTemplate", "spec", "template", "spec"]]

outside if data.mesh.workloads[concat("/", [input.object.kind, input.object.metadata.namespace, input.object.metadata.name])].meshed == false
