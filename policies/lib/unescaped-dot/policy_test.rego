package meshc.rules.unescaped_dot_test

import data.meshc.rules.unescaped_dot

found(path) := all if {
	all := unescaped_dot.deny with input.object as {"spec": {"matches": [{"name": "any"}, {"name": "some", "pathRegex": path}]}}
}

test_a_dot_between_letters_is_found if {
	found("/index.html") == {{
		"path": ["spec", "matches", 1, "pathRegex"],
		"message": "the dot in \"/index.html\" also matches any other character",
		"effect": "more paths are allowed than it seems",
		"fix": {"title": "escape the dot", "path": ["spec", "matches", 1, "pathRegex"], "value": `/index\.html`},
	}}
}

test_versions_are_found if count(found("/v1.0/books")) == 1

test_a_dot_after_a_class_is_found if count(found("/[a-z].html")) == 1

test_escaped_dots_are_fine if count(found(`/index\.html`)) == 0

test_dots_in_classes_are_fine if count(found("/[a-z.0-9]/x")) == 0

test_wildcards_are_fine if count(found("/a.*b/.+/c.?d")) == 0
