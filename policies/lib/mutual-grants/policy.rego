# METADATA
# scope: package
# title: two identities may call each other
# description: |
#   Services that call each other can only be changed, started and secured together:
#   who takes over one has the other. Often one direction is a left-over, or should be
#   an event. A matter of taste, so off until `rules.severity` in meshc.yaml names it.
# custom:
#   meshc:
#     id: MSH1521
#     severity: warning
#     enabled: false
#     scope: mesh
#     help: take one direction away, or turn the rule off
#     since: 0.2.0
package meshc.rules.mutual_grants

deny contains {
	"object": grant.object,
	"path": ["spec", "sources"],
	"message": sprintf("%s and %s may call each other", [first, second]),
	"effect": "who takes over one of them reaches the other",
} if {
	some first, identity in data.mesh.identities
	some g in identity.incoming
	grant := data.mesh.grants[g]
	some second in grant.sources
	first < second
	first in data.mesh.calls[second]
	second in data.mesh.calls[first]
}
