# METADATA
# scope: package
# title: a target lets in who may never call it
# description: |
#   Some pairs must never meet, whoever writes the policy: the shop front and the
#   ledger, the test namespace and production. The parameter `pairs` lists them, as
#   `{from, to}` of identities, `namespace/account`, where `*` stands for any text
#   without a slash. What is judged is what the target grants after bindings and
#   names are resolved.
# custom:
#   meshc:
#     id: MSH1504
#     severity: error
#     scope: object
#     kinds: [TrafficTarget]
#     help: take the source out of the target, or the pair out of meshc.yaml
#     since: 0.2.0
#     params:
#       pairs:
#         type: array
#         default: []
#         help: "who may never call whom: {from: web/*, to: bank/ledger, why: text}"
package meshc.rules.forbidden_pairs

deny contains {
	"path": where(source),
	"message": sprintf("%s may never call %s%s", [source, grant.destination, reason(pair)]),
	"effect": sprintf("the target lets %s in", [source]),
} if {
	some pair in data.params.pairs
	name := sprintf("TrafficTarget/%s/%s", [input.object.metadata.namespace, input.object.metadata.name])
	some own in data.mesh.references[name].grants
	grant := data.mesh.grants[own]
	glob.match(pair.to, ["/"], grant.destination)
	some source in grant.sources
	glob.match(pair.from, ["/"], source)
}

# What the pair says of itself, if it does.
reason(pair) := concat("", [text | text := concat("", [": ", pair.why])])

# The source as written, or the whole list where a binding stands for it.
where(source) := ["spec", "sources", i] if {
	some i, s in input.object.spec.sources
	source == concat("/", [s.namespace, s.name])
} else := ["spec", "sources"]
