package meshc.rules.costly_regex_test

import data.meshc.rules.costly_regex

found(path) := all if {
	all := costly_regex.deny with input.object as {"spec": {"matches": [{"name": "any"}, {"name": "some", "pathRegex": path}]}}
		with data.params as {"length": 20, "wildcards": 2, "repetitions": 50}
}

test_long_ones_are_found if {
	found("/aaaaaaaaaaaaaaaaaaaa") == {{
		"path": ["spec", "matches", 1, "pathRegex"],
		"message": "the expression has 21 characters",
		"effect": "each request pays for it, and few readers can tell what it allows",
	}}
	count(found("/aaaaaaaaaaaaaaaaaaa")) == 0
}

test_many_wildcards_are_found if {
	some f in found("/.*/.+/.*")
	f.message == "the expression has 3 wildcards"
	count(found("/.*/.+/")) == 0
}

test_long_repetitions_are_found if {
	some f in found("/[a-z]{1,51}")
	f.message == "the expression repeats a part 51 times"
	count(found("/[a-z]{51}")) == 1
	count(found("/[a-z]{50}")) == 0
}

test_each_cost_is_told if count(found("/.*/.*/.*/[a-z]{99}xx")) == 3
