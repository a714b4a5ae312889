# METADATA
# scope: package
# title: a split gives everything to one backend
# description: |
#   All calls go to one backend: the release is over, or has not begun. Left standing,
#   the split hides which service is really called. Tools that move weights leave such
#   splits between releases on purpose, so the rule is off until `rules.severity` in
#   meshc.yaml names it.
# custom:
#   meshc:
#     id: MSH2504
#     severity: info
#     enabled: false
#     scope: object
#     kinds: [TrafficSplit]
#     help: call the backend's service directly and delete the split, or give another backend a share
#     since: 0.2.0
package meshc.rules.finished_split

deny contains {
	"path": ["spec", "backends"],
	"message": sprintf("%s gets every call", [backend.service]),
} if {
	not input.object.spec.matches
	live := [b | some b in input.object.spec.backends; b.weight > 0]
	count(live) == 1
	backend := live[0]
}
