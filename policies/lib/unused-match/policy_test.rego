package meshc.rules.unused_match_test

import data.meshc.rules.unused_match

group := {"metadata": {"namespace": "shop", "name": "api"}, "spec": {"matches": [{"name": "list"}, {"name": "buy"}]}}

found(users, rules) := all if {
	all := unused_match.deny with input.object as group
		with data.mesh as {
			"references": {"HTTPRouteGroup/shop/api": {"from": users}, "HTTPRouteGroup/shop/other": {"from": ["TrafficTarget/shop/buyers"]}},
			"objects": {"TrafficTarget": {"shop/buyers": {"spec": {"rules": rules}}}},
		}
}

test_what_no_target_picks_is_found if {
	found(["TrafficTarget/shop/buyers"], [{"kind": "HTTPRouteGroup", "name": "api", "matches": ["list"]}]) == {{
		"path": ["spec", "matches", 1, "name"],
		"message": "no target picks the match \"buy\"",
		"effect": "it grants nothing",
	}}
}

test_who_picks_nothing_takes_all if count(found(["TrafficTarget/shop/buyers"], [{"kind": "HTTPRouteGroup", "name": "api"}])) == 0

test_other_rules_pick_something_else if {
	count(found(["TrafficTarget/shop/buyers"], [
		{"kind": "HTTPRouteGroup", "name": "api", "matches": ["list"]},
		{"kind": "HTTPRouteGroup", "name": "admin"},
		{"kind": "HTTPRouteGroup", "name": "other", "matches": ["buy"]},
		{"kind": "TCPRoute", "name": "api"},
	])) == 1
}

test_a_split_takes_all if {
	count(found(["TrafficTarget/shop/buyers", "TrafficSplit/shop/canary"], [{"kind": "HTTPRouteGroup", "name": "api", "matches": ["list"]}])) == 0
}

test_a_group_that_nobody_names_is_another_finding if count(found([], [])) == 0
