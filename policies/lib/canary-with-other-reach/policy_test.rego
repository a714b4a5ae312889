package meshc.rules.canary_with_other_reach_test

import data.meshc.rules.canary_with_other_reach

found(backends, calls) := all if {
	all := canary_with_other_reach.deny with input.object as {"metadata": {"namespace": "shop", "name": "canary"}, "spec": {"backends": backends}}
		with data.mesh as {
			"services": {"shop/v1": {"accounts": ["shop/v1"]}, "shop/v2": {"accounts": ["shop/v2"]}, "shop/v3": {"accounts": []}},
			"calls": {"shop/v1": ["shop/db", "shop/mail"], "shop/v2": calls},
		}
}

both := [{"service": "v1"}, {"service": "v2.shop"}]

test_a_backend_that_lacks_a_call if {
	found(both, ["shop/mail"]) == {{
		"path": ["spec", "backends", 1, "service"],
		"message": "v2.shop may not call shop/db, which another backend may",
		"effect": "its share of the requests fails where it needs these calls",
	}}
}

test_equal_reach_is_fine if count(found(both, ["shop/mail", "shop/db"])) == 0

test_more_reach_lacks_on_the_other_side if {
	some f in found(both, ["shop/mail", "shop/db", "shop/new"])
	f.path == ["spec", "backends", 0, "service"]
}

test_what_nothing_backs_calls_nothing if count(found([{"service": "v1"}, {"service": "v3"}, {"service": "gone"}], [])) == 0
