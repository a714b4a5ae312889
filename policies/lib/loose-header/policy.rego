# METADATA
# scope: package
# title: a header expression also matches longer values
# description: |
#   SMI searches a header's value for the expression: `role: admin` is also true of
#   `not-admin`. `^` and `$` hold it to the whole value; `.*` at its ends says that
#   longer ones are meant. Not judged with `compat: osm`, where the whole value must
#   match. That a grant rests on a header at all, which any client may send, is told
#   by MSH1019.
# custom:
#   meshc:
#     id: MSH1511
#     severity: info
#     scope: object
#     kinds: [HTTPRouteGroup]
#     help: write `^value$`, or `.*value.*` where a part is meant
#     since: 0.2.0
package meshc.rules.loose_header

deny contains {
	"path": ["spec", "matches", i, "headers", name],
	"message": sprintf("%q is found anywhere in the header %s", [value, name]),
	"effect": "values that only hold it match too",
} if {
	data.mesh.settings.compat != "osm"
	some i, match in input.object.spec.matches
	some name, value in match.headers
	value != ""
	open(value)
}

open(value) if not strings.any_prefix_match(value, ["^", ".*"])

open(value) if not strings.any_suffix_match(value, ["$", ".*"])
