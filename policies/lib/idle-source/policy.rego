# METADATA
# scope: package
# title: a source is an account that no workload has
# description: |
#   The account is written in the tree, so it is known, but nothing in the tree runs
#   as it. The grant waits for whoever starts a pod with that account, and nobody will
#   think of the grant then. An account that is not known at all is told by MSH3001,
#   one whose workloads are all outside the mesh by MSH3011.
# custom:
#   meshc:
#     id: MSH3502
#     severity: info
#     scope: object
#     kinds: [TrafficTarget]
#     help: take the source out until its workload exists, or delete both
#     since: 0.2.0
package meshc.rules.idle_source

deny contains {
	"path": ["spec", "sources", i, "name"],
	"message": sprintf("no workload runs as %s", [id]),
	"effect": "whoever starts a pod as this account may make these calls",
	"related": [{"object": account, "path": ["metadata", "name"], "label": "the account is only written down"}],
} if {
	some i, source in input.object.spec.sources
	source.kind == "ServiceAccount"
	id := concat("/", [source.namespace, source.name])
	account := data.mesh.objects.ServiceAccount[id]
	count(data.mesh.identities[id].services) == 0
	users := {kind |
		some user in data.mesh.references[concat("/", ["ServiceAccount", id])].from
		kind := split(user, "/")[0]
	}
	count(users - {"IdentityBinding", "TrafficTarget"}) == 0
}
