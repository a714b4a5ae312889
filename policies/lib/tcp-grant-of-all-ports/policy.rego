# METADATA
# scope: package
# title: a target opens every TCP port
# description: |
#   A TCPRoute without ports, or with an empty list, stands for all TCP ports of the
#   destination, its HTTP ports among them, where then no request is judged. A port
#   that is added to a Service next year is open from its first day.
# custom:
#   meshc:
#     id: MSH1520
#     severity: info
#     scope: object
#     kinds: [TrafficTarget]
#     help: list the ports under `matches.ports` of the TCPRoute
#     since: 0.2.0
package meshc.rules.tcp_grant_of_all_ports

deny contains {
	"path": ["spec", "rules", grant.rule],
	"message": sprintf("TCPRoute %q names no port, so %s are opened", [rule.name, concat(", ", grant.ports)]),
	"effect": "ports that are added later are opened too",
} if {
	target := input.object
	not target.spec.destination.port
	name := concat("/", ["TrafficTarget", target.metadata.namespace, target.metadata.name])
	some own in data.mesh.references[name].grants
	grant := data.mesh.grants[own]
	rule := target.spec.rules[grant.rule]
	rule.kind == "TCPRoute"
	count(grant.ports) > 1
	route := data.mesh.objects.TCPRoute[concat("/", [target.metadata.namespace, rule.name])]
	count(object.get(route, ["spec", "matches", "ports"], [])) == 0
}
