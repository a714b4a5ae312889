# METADATA
# scope: package
# title: a backend of a split may call less than the others
# description: |
#   The backends of a split are releases of one thing, but run under accounts of their
#   own. One of them has no grant for what another calls, so the release fails as soon
#   as it gets a share, with 403 from somebody else's service. Callers that may not
#   call all leaves are told by MSH2017, ports that a backend lacks by MSH2008.
# custom:
#   meshc:
#     id: MSH2503
#     severity: warning
#     scope: object
#     kinds: [TrafficSplit]
#     help: grant the account of this backend what those of the others have
#     since: 0.2.0
package meshc.rules.canary_with_other_reach

deny contains {
	"path": ["spec", "backends", i, "service"],
	"message": sprintf("%s may not call %s, which another backend may", [backend.service, concat(", ", sort(all - own))]),
	"effect": "its share of the requests fails where it needs these calls",
} if {
	reaches := [reach(b.service) | some b in input.object.spec.backends]
	all := union({r | some r in reaches})
	some i, backend in input.object.spec.backends
	known(backend.service)
	own := reaches[i]
	count(all - own) > 0
}

name_of(service) := concat("/", [input.object.metadata.namespace, split(service, ".")[0]])

known(service) if count(data.mesh.services[name_of(service)].accounts) > 0

# The identities that pods behind a service may call.
reach(service) := {callee |
	some account in data.mesh.services[name_of(service)].accounts
	some callee in data.mesh.calls[account]
}
