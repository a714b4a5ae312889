# METADATA
# scope: package
# title: a production namespace refuses nothing
# description: |
#   In permissive mode every identity of the mesh may call every service of the
#   namespace: targets are written, reviewed and tested there, and hold nobody back. A
#   namespace says by a label that it is production. `audit` lets through as well, but
#   tells which grants are missing; it is reported when `modes` names it.
# custom:
#   meshc:
#     id: MSH1522
#     severity: error
#     scope: object
#     kinds: [Mesh]
#     help: set the namespace to strict; `audit` first shows which grants are missing
#     since: 0.2.0
#     params:
#       label:
#         type: string
#         default: environment
#         help: the label of namespaces that says what they are for
#       values:
#         type: array
#         default: [production, prod, live]
#         help: the values of the label that mean production
#       modes:
#         type: array
#         default: [permissive]
#         help: the modes that production must not have
package meshc.rules.permissive_in_production

deny contains {
	"path": where(name, "mode"),
	"message": sprintf("the namespace %s is production and %s", [name, namespace.mode]),
	"effect": "calls without a grant are let through",
} if {
	some name, namespace in data.mesh.namespaces
	namespace.mode in data.params.modes
	namespace.labels[data.params.label] in data.params.values
}

# Where meshc.yaml says it: at the namespace, else for the whole mesh.
where(namespace, field) := ["spec", "namespaces", namespace, field] if {
	input.object.spec.namespaces[namespace][field]
} else := ["spec", field]
