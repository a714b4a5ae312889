# METADATA
# scope: package
# title: workloads may call anything outside of the mesh
# description: |
#   Who takes over a workload with egress can carry away what it reads, and fetch what
#   it needs for the next step. Most workloads call two or three addresses outside, or
#   none. Named namespaces may have it.
# custom:
#   meshc:
#     id: MSH1523
#     severity: info
#     scope: object
#     kinds: [Mesh]
#     help: "set `egress: deny`, or name the namespace in the rule's parameters"
#     since: 0.2.0
#     params:
#       namespaces:
#         type: array
#         default: []
#         help: namespaces that may have it
package meshc.rules.egress_open

deny contains {
	"path": ["spec", "egress"],
	"message": "egress is allowed to workloads of the whole mesh",
	"effect": "any address outside of the mesh can be reached, and nothing tells which",
} if {
	data.mesh.settings.egress == "allow"
}

deny contains {
	"path": ["spec", "namespaces", name, "egress"],
	"message": sprintf("egress is allowed to workloads of namespace %s", [name]),
	"effect": "any address outside of the mesh can be reached, and nothing tells which",
} if {
	data.mesh.settings.egress != "allow"
	some name, namespace in data.mesh.namespaces
	namespace.egress == "allow"
	not name in data.params.namespaces
}
