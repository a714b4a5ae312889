package meshc.rules.loose_alternation_test

import data.meshc.rules.loose_alternation

found(path) := all if {
	all := loose_alternation.deny with input.object as {"spec": {"matches": [{"name": "any"}, {"name": "some", "pathRegex": path}]}}
}

test_an_alternative_without_a_slash_is_found if {
	found("/books/a|b$") == {{
		"path": ["spec", "matches", 1, "pathRegex"],
		"message": "\"/books/a|b$\" is read as alternatives of the whole path, and \"b$\" does not begin with a slash",
	}}
}

test_an_empty_alternative_allows_everything if {
	some f in found("/books|")
	f.message == "\"/books|\" is read as alternatives of the whole path, and one of them is empty, so that every path is allowed"
	count(found("/books|^$")) == 1
}

test_paths_of_their_own_are_fine if count(found("/books$|^/orders$|.*[.]html$|(/a|/b)c$|*")) == 0

test_alternatives_in_parentheses_are_fine if {
	count(found("/books/(a|b)$")) == 0
	count(found("/(x(y(a|b)|c(d|))|z)$")) == 0
}

test_a_bar_that_is_no_operator_is_fine if {
	count(found(`/a\|b`)) == 0
	count(found("/a[|]b")) == 0
}

test_one_alternative_is_none if {
	count(found("books")) == 0
	count(found("books/(a|b)")) == 0
}
