package meshc.rules.weight_on_nothing_test

import data.meshc.rules.weight_on_nothing

found(weight, v1, v2) := all if {
	all := weight_on_nothing.deny with input.object as {"metadata": {"namespace": "shop", "name": "canary"}, "spec": {"backends": [
		{"service": "missing", "weight": 1},
		{"service": "shop.shop.svc", "weight": weight},
	]}}
		with data.mesh as {
			"services": {"shop/shop": {"accounts": ["shop/a", "shop/b"]}},
			"identities": {"shop/a": {"workloads": ["v1", "other"]}, "shop/b": {"workloads": ["v2"]}, "shop/c": {"workloads": ["v3"]}},
			"workloads": {
				"v3": {"object": {"name": "v3"}, "replicas": 1, "services": ["shop/shop"]},
				"v1": {"object": {"name": "v1"}, "replicas": v1, "services": ["shop/shop"]},
				"v2": {"object": {"name": "v2"}, "replicas": v2, "services": ["shop/shop"]},
				"other": {"object": {"name": "other"}, "replicas": 1, "services": ["shop/other"]},
			},
		}
}

test_a_share_for_nothing if {
	some f in found(5, 0, 0)
	f.path == ["spec", "backends", 1, "weight"]
	f.message == "shop.shop.svc gets a share, and its workloads have 0 replicas"
	count(f.related) == 2
}

test_one_running_workload_is_enough if count(found(5, 0, 1)) == 0

test_no_share_needs_no_pod if count(found(0, 0, 0)) == 0

test_what_no_workload_backs_is_another_finding if count(found(5, 0, 0)) == 1
