package meshc.rules.finished_split_test

import data.meshc.rules.finished_split

found(spec) := all if {
	all := finished_split.deny with input.object as {"spec": spec}
}

test_one_live_backend if {
	found({"backends": [{"service": "v1", "weight": 0}, {"service": "v2", "weight": 3}]}) == {{
		"path": ["spec", "backends"],
		"message": "v2 gets every call",
	}}
}

test_two_live_backends_are_a_release if count(found({"backends": [{"service": "v1", "weight": 1}, {"service": "v2", "weight": 3}]})) == 0

test_splits_by_matches_are_no_releases if {
	count(found({"matches": [{"name": "beta"}], "backends": [{"service": "v2", "weight": 1}]})) == 0
}
