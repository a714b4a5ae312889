package meshc.rules.loose_header_test

import data.meshc.rules.loose_header

found_in(compat, value) := all if {
	all := loose_header.deny with input.object as {"spec": {"matches": [{"name": "any"}, {"name": "some", "headers": {"role": value}}]}}
		with data.mesh.settings as {"compat": compat}
}

found(value) := found_in("smi", value)

test_a_bare_value_is_found if {
	found("admin") == {{
		"path": ["spec", "matches", 1, "headers", "role"],
		"message": "\"admin\" is found anywhere in the header role",
		"effect": "values that only hold it match too",
	}}
}

test_both_ends_are_looked_at if {
	count(found("^admin")) == 1
	count(found("admin$")) == 1
}

test_closed_and_deliberate_ends_are_fine if {
	count(found("^admin$")) == 0
	count(found(".*admin.*")) == 0
}

test_a_header_that_must_only_be_there_is_fine if count(found("")) == 0

test_osm_matches_whole_values if count(found_in("osm", "admin")) == 0
