# METADATA
# scope: package
# title: nobody may call a service
# description: |
#   The service has workloads in a strict namespace, and no target grants a single
#   call to it. That is right for what only sends, or is called from outside through a
#   gateway of its own; else a target is missing. Off until `rules.severity` in
#   meshc.yaml names it.
# custom:
#   meshc:
#     id: MSH4523
#     severity: info
#     enabled: false
#     scope: object
#     kinds: [Service]
#     help: write a target for its account, or add the service to `except`
#     since: 0.2.0
#     params:
#       except:
#         type: array
#         default: []
#         help: "namespace/name of services that nobody is to call; * stands for any text"
package meshc.rules.service_nobody_may_call

deny contains {
	"path": ["metadata", "name"],
	"message": sprintf("no target grants a call to %s", [name]),
	"effect": "every call to it is refused",
} if {
	name := concat("/", [input.object.metadata.namespace, input.object.metadata.name])
	service := data.mesh.services[name]
	count(service.accounts) > 0
	count(service.incoming) == 0
	data.mesh.namespaces[service.namespace].mode == "strict"
	every pattern in data.params.except { not glob.match(pattern, ["/"], name) }
}
