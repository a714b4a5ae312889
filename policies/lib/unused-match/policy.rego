# METADATA
# scope: package
# title: a match of a group is picked by nobody
# description: |
#   Every target that names the group picks some of its matches, and none picks this
#   one: it grants nothing. It may be a left-over, or a target forgot it. A group that
#   nobody names at all is told by MSH1021, and a match that a target picks but the
#   group lacks by MSH1005.
# custom:
#   meshc:
#     id: MSH1506
#     severity: info
#     scope: object
#     kinds: [HTTPRouteGroup]
#     help: pick it in a rule of a target, or delete it
#     since: 0.2.0
package meshc.rules.unused_match

deny contains {
	"path": ["spec", "matches", i, "name"],
	"message": sprintf("no target picks the match %q", [match.name]),
	"effect": "it grants nothing",
} if {
	name := concat("/", ["HTTPRouteGroup", input.object.metadata.namespace, input.object.metadata.name])
	users := data.mesh.references[name].from
	count(users) > 0
	picked := {p | some user in users; some p in picks(user)}
	not "*" in picked
	some i, match in input.object.spec.matches
	not match.name in picked
}

# The matches of the group that a user of it picks; "*" is all, as of splits.
picks(user) := {p |
	some rule in data.mesh.objects.TrafficTarget[trim_prefix(user, "TrafficTarget/")].spec.rules
	rule.kind == "HTTPRouteGroup"
	rule.name == input.object.metadata.name
	some p in object.get(rule, "matches", ["*"])
} if startswith(user, "TrafficTarget/")

picks(user) := {"*"} if not startswith(user, "TrafficTarget/")
