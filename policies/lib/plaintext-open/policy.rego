# METADATA
# scope: package
# title: clients without a certificate are served
# description: |
#   Who has no certificate of the mesh has no identity, so no grant can tell friend
#   from foe: whatever reaches the address is served, unencrypted. It is meant for the
#   days in which a mesh is introduced. Single ports are told by MSH4521.
# custom:
#   meshc:
#     id: MSH1524
#     severity: warning
#     scope: object
#     kinds: [Mesh]
#     help: "set `plaintext: deny`; open single ports by the annotation `meshc.dev/plaintext-ports` of a Service"
#     since: 0.2.0
#     params:
#       namespaces:
#         type: array
#         default: []
#         help: namespaces that may be open
package meshc.rules.plaintext_open

deny contains {
	"path": ["spec", "plaintext"],
	"message": "clients in plain text reach every port of the whole mesh",
	"effect": "no grant is asked for, and nothing is encrypted",
} if {
	data.mesh.settings.plaintext == "allow"
}

deny contains {
	"path": ["spec", "namespaces", name, "plaintext"],
	"message": sprintf("clients in plain text reach every port of namespace %s", [name]),
	"effect": "no grant is asked for, and nothing is encrypted",
} if {
	data.mesh.settings.plaintext != "allow"
	some name, namespace in data.mesh.namespaces
	namespace.plaintext == "allow"
	not name in data.params.namespaces
}
