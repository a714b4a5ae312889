# METADATA
# scope: package
# title: a port answers clients without a certificate
# description: |
#   Who has no mesh certificate has no identity: on this port any address that reaches
#   the pod is served, and what is said can be read on the way. That is for health
#   checks, scrapes and clients that are still to be moved. Namespaces that are opened
#   as a whole are told by MSH1524.
# custom:
#   meshc:
#     id: MSH4521
#     severity: warning
#     scope: object
#     kinds: [Service]
#     help: take the port out of `meshc.dev/plaintext-ports`, or add the service to `except`
#     since: 0.2.0
#     params:
#       ports:
#         type: array
#         default: []
#         help: ports that may be open to plain text in any service, such as those of metrics
#       except:
#         type: array
#         default: []
#         help: "namespace/name of services that may have such ports; * stands for any text"
package meshc.rules.plaintext_port

deny contains {
	"path": ["metadata", "annotations", "meshc.dev/plaintext-ports"],
	"message": sprintf("port %d of %s answers in plain text", [port.port, name]),
	"effect": "no grant is asked for, and nothing is encrypted",
} if {
	name := concat("/", [input.object.metadata.namespace, input.object.metadata.name])
	some port in data.mesh.services[name].ports
	port.plaintext
	not port.port in data.params.ports
	every pattern in data.params.except { not glob.match(pattern, ["/"], name) }
}
