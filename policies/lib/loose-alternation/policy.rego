# METADATA
# scope: package
# title: an alternative of a path stands for itself
# description: |
#   `|` binds weaker than anything else in a regular expression: `/books/a|b$` is
#   `/books/a` with anything behind it, or `b` at the end of nothing; `/books|` is
#   `/books`, or every path at all. An alternative that is empty or does not begin
#   with a slash was meant to stand in parentheses. What an expression without `$`
#   allows is told by MSH1017.
# custom:
#   meshc:
#     id: MSH1509
#     severity: warning
#     scope: object
#     kinds: [HTTPRouteGroup]
#     help: "put the alternatives in parentheses: `/books/(a|b)$`"
#     since: 0.2.0
package meshc.rules.loose_alternation

deny contains {
	"path": ["spec", "matches", i, "pathRegex"],
	"message": sprintf("%q is read as alternatives of the whole path, and %s", [match.pathRegex, fault]),
} if {
	some i, match in input.object.spec.matches
	contains(match.pathRegex, "|")
	alternatives := split(flat(match.pathRegex), "|")
	count(alternatives) > 1
	some alternative in alternatives
	fault := wrong(trim_prefix(alternative, "^"))
}

wrong(alternative) := "one of them is empty, so that every path is allowed" if alternative in {"", "$"}

wrong(alternative) := sprintf("%q does not begin with a slash", [alternative]) if {
	not alternative in {"", "$"}
	not regex.match(`^[/.~*]`, alternative)
}

# The expression with `~` for what an operator inside does not reach: escaped
# characters, classes, and groups up to four deep.
flat(path) := ungrouped(ungrouped(ungrouped(ungrouped(regex.replace(regex.replace(path, `\\.`, "~"), `\[[^\]]*\]`, "~")))))

ungrouped(path) := regex.replace(path, `\([^()]*\)`, "~")
