package meshc.rules.trace_method_test

import data.meshc.rules.trace_method

found(methods, star) := all if {
	all := trace_method.deny with input.object as {"spec": {"matches": [
		{"name": "any"},
		{"name": "some", "methods": methods},
	]}}
		with data.params as {"star": star, "methods": ["CONNECT", "TRACE"]}
}

test_common_methods_are_fine if count(found(["GET", "POST"], true)) == 0

test_trace_is_found_where_it_stands if {
	found(["GET", "TRACE"], false) == {{
		"path": ["spec", "matches", 1, "methods", 1],
		"message": "\"some\" allows TRACE",
	}}
}

test_connect_and_trace_are_two if count(found(["CONNECT", "TRACE"], false)) == 2

test_a_star_is_fine_unless_asked_for if {
	count(found(["*"], false)) == 0
	count(found(["*"], true)) == 1
}
