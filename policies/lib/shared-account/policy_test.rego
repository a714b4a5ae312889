package meshc.rules.shared_account_test

import data.meshc.rules.shared_account

found(incoming, a, b) := all if {
	all := shared_account.deny with data.mesh as {
		"identities": {"shop/shop": {"incoming": incoming, "workloads": ["a", "b", "job"]}},
		"workloads": {"a": {"object": "a", "services": a}, "b": {"object": "b", "services": b}, "job": {"object": "job", "services": []}, "foreign": {"object": "foreign", "services": ["shop/c"]}},
	}
}

test_each_workload_is_told if {
	found(["g"], ["shop/a"], ["shop/b"]) == {
		{"object": "a", "message": "shop/shop runs workloads of different services: shop/a, shop/b", "effect": "a grant to one of them opens the others"},
		{"object": "b", "message": "shop/shop runs workloads of different services: shop/a, shop/b", "effect": "a grant to one of them opens the others"},
	}
}

test_releases_of_one_service_share if count(found(["g"], ["shop/a", "shop/all"], ["shop/b", "shop/all"])) == 0

test_without_services_nothing_is_opened if count(found(["g"], [], [])) == 0

test_without_grants_nothing_is_opened if count(found([], ["shop/a"], ["shop/b"])) == 0
