package meshc.rules.mutual_grants_test

import data.meshc.rules.mutual_grants

found(calls) := all if {
	all := mutual_grants.deny with data.mesh as {
		"identities": {"a/a": {"incoming": ["ba", "da"]}, "b/b": {"incoming": ["ab"]}, "c/c": {"incoming": ["bc"]}},
		"grants": {"bc": {"object": {"name": "bc"}, "sources": ["b/b"]}, "da": {"object": {"name": "da"}, "sources": ["d/d"]}, "ab": {"object": {"name": "ab"}, "sources": ["a/a"]}, "ba": {"object": {"name": "ba"}, "sources": ["b/b"]}},
		"calls": calls,
	}
}

test_both_directions_are_one_finding if {
	found({"a/a": ["b/b"], "b/b": ["a/a"]}) == {{
		"object": {"name": "ba"},
		"path": ["spec", "sources"],
		"message": "a/a and b/b may call each other",
		"effect": "who takes over one of them reaches the other",
	}}
}

test_one_direction_is_fine if {
	count(found({"a/a": [], "b/b": ["a/a"]})) == 0
	count(found({"a/a": ["b/b"], "b/b": []})) == 0
}
