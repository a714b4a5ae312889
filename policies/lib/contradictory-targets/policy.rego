# METADATA
# scope: package
# title: another team's target opens what this one narrows
# description: |
#   Grants are a union. One team allows an account a few requests, another allows the
#   same account everything on the same port: the narrow target says what is not so,
#   and neither team sees it in its own file. A target says whose it is by a label;
#   targets without one, and those of one team, are not compared.
# custom:
#   meshc:
#     id: MSH1513
#     severity: warning
#     scope: mesh
#     help: agree on one target, or narrow the other
#     since: 0.2.0
#     params:
#       label:
#         type: string
#         default: team
#         help: the label of targets that names the team
package meshc.rules.contradictory_targets

deny contains {
	"object": narrow.object,
	"path": ["spec", "rules", narrow.rule],
	"message": sprintf("the rule is narrow, but %q of team %s allows everything to the same sources", [whole.object.name, team(whole)]),
	"effect": sprintf("what the rule leaves out of %s is allowed all the same", [narrow.destination]),
	"related": [{"object": whole.object, "path": ["spec", "rules", whole.rule], "label": "this rule allows everything"}],
} if {
	some identity in data.mesh.identities
	owned := [name | some name in identity.incoming; team(data.mesh.grants[name])]
	count(owned) > 1
	opened := object.union_n([{source: {name: true}} |
		some name in owned
		everything(data.mesh.grants[name])
		some source in data.mesh.grants[name].sources
	])
	some name in owned
	narrow := data.mesh.grants[name]
	not everything(narrow)
	some source in narrow.sources
	some other, _ in opened[source]
	whole := data.mesh.grants[other]
	team(whole) != team(narrow)
	some port in narrow.ports
	port in whole.ports
}

everything(grant) if grant.anyRequest

everything(grant) if {
	some match in grant.http
	match.path in every_path
	count(match.methods) == 0
	count(match.headers) == 0
}

# How a path that leaves nothing out looks once it is resolved.
every_path := {"", "/.*", "/.*$", "^/.*", "^/.*$", "^.*$", "(?:/).*", "(?:^/).*"}

team(grant) := data.mesh.objects.TrafficTarget[concat("/", [grant.object.namespace, grant.object.name])].metadata.labels[data.params.label]
