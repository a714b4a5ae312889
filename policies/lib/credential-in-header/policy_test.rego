package meshc.rules.credential_in_header_test

import data.meshc.rules.credential_in_header

found(name, value) := all if {
	all := credential_in_header.deny with input.object as {"spec": {"matches": [{"name": "any"}, {"name": "some", "headers": {name: value}}]}}
		with data.params as {"headers": ["authorization"], "length": 8}
}

test_a_token_is_found_in_any_case if {
	found("Authorization", "^Bearer abcdefgh$") == {{
		"path": ["spec", "matches", 1, "headers", "Authorization"],
		"message": "the match \"some\" asks for a fixed credential in Authorization",
		"effect": "who can read the manifests or a proxy's configuration can send it",
	}}
}

test_a_pattern_is_no_credential if count(found("authorization", "^Bearer .*$")) == 0

test_other_headers_are_fine if count(found("user-agent", "abcdefghijk")) == 0
