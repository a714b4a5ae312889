# METADATA
# scope: package
# title: a container runs as the proxy's user
# description: |
#   What the proxy itself sends is told from what the application sends by the user:
#   traffic of user 1500 is not intercepted. A container that runs as this user passes
#   by every rule of the mesh, in plain text, and can read the proxy's memory and
#   keys.
# custom:
#   meshc:
#     id: MSH3506
#     severity: error
#     scope: object
#     kinds: [Deployment, StatefulSet, DaemonSet, ReplicaSet, ReplicationController, Job, CronJob, Pod, Rollout]
#     help: run the container as any other user
#     since: 0.2.0
#     params:
#       uid:
#         type: number
#         default: 1500
#         help: the user that proxies run as
package meshc.rules.runs_as_the_proxy

deny contains finding(array.concat(base, ["securityContext", "runAsUser"])) if {
	some base in pods
	object.get(input.object, base, {}).securityContext.runAsUser == data.params.uid
	not outside
}

deny contains finding(array.concat(base, [field, i, "securityContext", "runAsUser"])) if {
	some base in pods
	pod := object.get(input.object, base, {})
	some field in ["containers", "initContainers"]
	some i, c in pod[field]
	c.securityContext.runAsUser == data.params.uid
	not outside
}

finding(path) := {
	"path": path,
	"message": sprintf("user %d is the proxy's own", [data.params.uid]),
	"effect": "what it sends is not intercepted: no mTLS, and no grant is asked for",
}

# Where the kinds of workloads keep their pods.
pods := [["spec"], ["spec", "template", "spec"], ["spec", "jobTemplate", "spec", "template", "spec"]]

outside if data.mesh.workloads[concat("/", [input.object.kind, input.object.metadata.namespace, input.object.metadata.name])].meshed == false
