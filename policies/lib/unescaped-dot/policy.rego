# METADATA
# scope: package
# title: a dot in a path stands for any character
# description: |
#   In a regular expression `.` is any character, so `/v1.0/books` allows
#   `/v1x0/books` too, and `/index.html` allows `/indexahtml`. A dot between letters
#   or digits is nearly always meant as a dot. `.*` and its like are left alone.
# custom:
#   meshc:
#     id: MSH1508
#     severity: warning
#     scope: object
#     kinds: [HTTPRouteGroup]
#     help: write `\.` where a dot is meant, or `[^/]` where any character is
#     since: 0.2.0
package meshc.rules.unescaped_dot

deny contains {
	"path": ["spec", "matches", i, "pathRegex"],
	"message": sprintf("the dot in %q also matches any other character", [match.pathRegex]),
	"effect": "more paths are allowed than it seems",
	"fix": {
		"title": "escape the dot",
		"path": ["spec", "matches", i, "pathRegex"],
		"value": regex.replace(match.pathRegex, `([0-9A-Za-z])\.([0-9A-Za-z])`, `$1\.$2`),
	},
} if {
	some i, match in input.object.spec.matches
	contains(match.pathRegex, ".")
	regex.match(`[0-9A-Za-z]\.[0-9A-Za-z]`, plain(match.pathRegex))
}

# The expression with a digit for each escaped character and each class, in which
# a dot is no operator.
plain(path) := regex.replace(regex.replace(path, `\\.`, "0"), `\[[^\]]*\]`, "0")
