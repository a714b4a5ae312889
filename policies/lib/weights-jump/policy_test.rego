package meshc.rules.weights_jump_test

import data.meshc.rules.weights_jump

split(backends) := {
	"metadata": {"namespace": "shop", "name": "canary"},
	"spec": {"backends": [{"service": name, "weight": weight} | some name, weight in backends]},
}

found(before, after) := all if {
	all := weights_jump.deny with input.object as split(after)
		with data.mesh.before.objects.TrafficSplit as {"shop/canary": split(before), "shop/other": split({"v1": 1})}
		with data.params.most as 50
}

test_a_jump_is_found_at_its_weight if {
	found({"v1": 90, "v2": 10}, {"v1": 10, "v2": 90}) == {{
		"path": ["spec", "backends", 1, "weight"],
		"message": "v2 gets 90 of 100 calls, and got 10 before",
		"effect": "more than 50 of 100 calls go elsewhere at once",
	}}
}

test_the_most_is_allowed if count(found({"v1": 90, "v2": 10}, {"v1": 40, "v2": 60})) == 0

test_weights_are_shares if count(found({"v1": 1, "v2": 1}, {"v1": 500, "v2": 500})) == 0

test_a_backend_that_is_new_jumps if {
	some f in found({"v1": 7}, {"v1": 1, "v2": 2})
	f.path == ["spec", "backends", 1, "weight"]
	f.message == "v2 gets 67 of 100 calls, and got 0 before"
}

test_from_nothing_is_a_jump if count(found({"v1": 0, "v2": 0}, {"v1": 0, "v2": 5})) == 1

test_to_nothing_is_none if count(found({"v1": 1, "v2": 0}, {"v1": 0, "v2": 0})) == 0

test_a_new_split_is_not_judged if {
	count(weights_jump.deny) == 0 with input.object as split({"v1": 0, "v2": 1})
		with data.mesh.before.objects.TrafficSplit as {}
}
