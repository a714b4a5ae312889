# METADATA
# scope: package
# title: a workload is outside the mesh
# description: |
#   Its pods have no proxy: no certificate, no grants, no encryption, and whoever
#   reaches their addresses may call them. Some workloads must be outside; where all
#   others are to be inside, turn the rule on in `rules.severity` of meshc.yaml and
#   name the exceptions.
# custom:
#   meshc:
#     id: MSH3505
#     severity: warning
#     enabled: false
#     scope: object
#     kinds: [Deployment, StatefulSet, DaemonSet, ReplicaSet, ReplicationController, Job, CronJob, Pod, Rollout]
#     help: "take the label `meshc.dev/inject: disabled` away, or add the workload to `except`"
#     since: 0.2.0
#     params:
#       except:
#         type: array
#         default: []
#         help: "namespace/name of workloads that may be outside; * stands for any text"
package meshc.rules.workload_outside

deny contains {
	"path": ["metadata", "name"],
	"message": sprintf("%s %s has no proxy", [input.object.kind, name]),
	"effect": "nothing that this mesh grants or denies holds for its pods",
} if {
	name := concat("/", [input.object.metadata.namespace, input.object.metadata.name])
	data.mesh.workloads[concat("/", [input.object.kind, name])].meshed == false
	every pattern in data.params.except { not glob.match(pattern, ["/"], name) }
}
