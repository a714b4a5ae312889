package meshc.rules.write_anywhere_test

import data.meshc.rules.write_anywhere

found(match) := all if {
	all := write_anywhere.deny with input.object as {"spec": {"matches": [{"name": "any"}, match]}}
		with data.params.methods as ["POST", "DELETE"]
}

test_writing_anywhere_is_found if {
	found({"name": "write", "pathRegex": "/.*", "methods": ["POST", "GET", "DELETE"]}) == {{
		"path": ["spec", "matches", 1, "methods"],
		"message": "\"write\" allows DELETE and POST on every path",
		"effect": "every handler that changes something is opened to the sources",
	}}
}

test_no_path_is_every_path if count(found({"name": "write", "methods": ["POST"]})) == 1

test_a_path_is_fine if count(found({"name": "write", "pathRegex": "/orders$", "methods": ["POST"]})) == 0

test_reading_is_fine if count(found({"name": "read", "methods": ["GET"]})) == 0

test_headers_are_another_finding if count(found({"name": "write", "methods": ["POST"], "headers": {"x": "y"}})) == 0
