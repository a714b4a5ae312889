# METADATA
# scope: package
# title: a port's protocol is told by its name only
# description: |
#   `appProtocol` says what a port speaks; without it the beginning of the port's name
#   decides, and renaming a port changes how the mesh treats it. A port of which
#   neither tells is told by MSH4001. A matter of taste, so off until `rules.severity`
#   in meshc.yaml names it.
# custom:
#   meshc:
#     id: MSH4522
#     severity: info
#     enabled: false
#     scope: object
#     kinds: [Service]
#     help: write `appProtocol` at the port
#     since: 0.2.0
package meshc.rules.port_without_app_protocol

deny contains {
	"path": ["spec", "ports", i, "name"],
	"message": sprintf("only the name %q says what port %d speaks", [port.name, port.port]),
	"effect": "whoever renames the port changes how it is judged",
} if {
	some i, port in input.object.spec.ports
	not port.appProtocol
	split(port.name, "-")[0] in {"http", "http2", "grpc", "tcp", "tls", "https", "udp"}
}
