# METADATA
# scope: package
# title: many identities may open connections to a database
# description: |
#   A grant of a TCP port says nothing of what is sent over it: to the database every
#   granted identity is as good as the next, but for its password. A database that
#   many services share cannot change its schema, nor tell who did what. Ports that
#   databases use are a parameter, and so is how many may call.
# custom:
#   meshc:
#     id: MSH1514
#     severity: warning
#     scope: object
#     kinds: [Service]
#     help: let one service own the database and others call that service, or raise `most`
#     since: 0.2.0
#     params:
#       ports:
#         type: array
#         default: [1433, 1521, 3306, 5432, 6379, 9042, 9200, 11211, 27017]
#         help: the ports of Services that databases listen on
#       most:
#         type: number
#         default: 3
#         help: how many identities may call a database
package meshc.rules.database_with_many_callers

deny contains {
	"path": ["spec", "ports", i, "port"],
	"message": sprintf("%d identities may open connections to port %d, more than %d", [count(callers), port.port, data.params.most]),
	"effect": concat(", ", sort(callers)),
} if {
	name := concat("/", [input.object.metadata.namespace, input.object.metadata.name])
	some i, port in input.object.spec.ports
	port.port in data.params.ports
	id := sprintf("%s:%d", [name, port.port])
	callers := {source |
		some grant in data.mesh.services[name].incoming
		id in data.mesh.grants[grant].ports
		some source in data.mesh.grants[grant].sources
	}
	count(callers) > data.params.most
}
