package meshc.rules.split_without_default_test

import data.meshc.rules.split_without_default

found(matches, accounts, others) := all if {
	all := split_without_default.deny with input.object as {"metadata": {"namespace": "shop", "name": "canary"}, "spec": {"matches": matches}}
		with data.mesh as {
			"services": {
				"shop/shop": {"name": "shop/shop", "accounts": accounts, "roots": others},
				"shop/x": {"name": "shop/x", "accounts": [], "roots": ["TrafficSplit/shop/x"]},
			},
			"splits": {
				"TrafficSplit/shop/x": {"root": "shop/x", "matches": [{"match": "a"}]},
				"TrafficSplit/shop/canary": {"root": "shop/shop", "matches": [{"match": "a"}]},
				"TrafficSplit/shop/rest": {"root": "shop/shop", "matches": []},
			},
		}
}

test_the_rest_has_nowhere_to_go if {
	found([{"name": "api"}], [], ["TrafficSplit/shop/canary"]) == {{
		"path": ["spec", "matches"],
		"message": "requests that match nothing go to shop/shop, which nothing backs",
		"effect": "they are answered 503",
	}}
}

test_another_split_takes_the_rest if count(found([{"name": "api"}], [], ["TrafficSplit/shop/canary", "TrafficSplit/shop/rest"])) == 0

test_the_root_takes_the_rest if count(found([{"name": "api"}], ["shop/shop"], ["TrafficSplit/shop/canary"])) == 0

test_a_split_of_all_requests_leaves_none if count(found([], [], ["TrafficSplit/shop/canary"])) == 0
