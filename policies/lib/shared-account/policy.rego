# METADATA
# scope: package
# title: workloads of different services share an account
# description: |
#   Grants go to accounts: whoever may call one of these services may call the others,
#   at every port that the grant opens, and what one of them may call all may call. A
#   certificate cannot tell them apart.
# custom:
#   meshc:
#     id: MSH3504
#     severity: info
#     scope: mesh
#     help: give each service's workloads an account of their own
#     since: 0.2.0
package meshc.rules.shared_account

deny contains {
	"object": shown.object,
	"message": sprintf("%s runs workloads of different services: %s", [id, concat(", ", sort(union(groups)))]),
	"effect": "a grant to one of them opens the others",
} if {
	some id, identity in data.mesh.identities
	count(identity.incoming) > 0
	groups := {services |
		some name in identity.workloads
		services := {s | some s in data.mesh.workloads[name].services}
		count(services) > 0
	}
	count(intersection(groups)) == 0
	some name in identity.workloads
	shown := data.mesh.workloads[name]
	count(shown.services) > 0
}
