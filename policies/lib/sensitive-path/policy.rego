# METADATA
# scope: package
# title: a target opens a sensitive path without naming it
# description: |
#   Debug pages, metrics and admin calls lie beside the ordinary handlers of a
#   service. A wide path such as `/.*` opens them to other namespaces without a word.
#   A path that names one is taken for meant. That a rule allows any method on any
#   path is told by MSH1501.
# custom:
#   meshc:
#     id: MSH1519
#     severity: warning
#     enabled: false
#     scope: object
#     kinds: [TrafficTarget]
#     help: narrow the path of the match; name the sensitive one if it is meant
#     since: 0.2.0
#     params:
#       paths:
#         type: array
#         default: [/admin/users, /actuator/env, /debug/pprof/heap, /metrics]
#         help: paths that only a match which names them should allow
package meshc.rules.sensitive_path

deny contains {
	"path": ["spec", "rules", grant.rule],
	"message": sprintf("%q also allows %s to %s", [match.match, path, source]),
	"effect": sprintf("%s can call what %s keeps for its operators", [source, grant.destination]),
} if {
	name := concat("/", ["TrafficTarget", input.object.metadata.namespace, input.object.metadata.name])
	some own in data.mesh.references[name].grants
	grant := data.mesh.grants[own]
	foreign := {s | some s in grant.sources; data.mesh.identities[s].namespace != input.object.metadata.namespace}
	source := min(foreign)
	some match in grant.http
	not everything(match)
	path := min({p | some p in data.params.paths; opens(match.path, p)})
}

everything(match) if {
	match.path in every_path
	count(match.methods) == 0
	count(match.headers) == 0
}

# How a path that leaves nothing out looks once it is resolved.
every_path := {"", "/.*", "/.*$", "^/.*", "^/.*$", "^.*$", "(?:/).*", "(?:^/).*"}

opens("", _)

opens(expression, path) if {
	regex.match(sprintf(`^(?:%s)$`, [expression]), path)
	word := split(path, "/")[1]
	not contains(expression, word)
}
