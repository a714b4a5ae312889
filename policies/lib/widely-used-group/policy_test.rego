package meshc.rules.widely_used_group_test

import data.meshc.rules.widely_used_group

found(most) := all if {
	all := widely_used_group.deny with input.object as {"kind": "HTTPRouteGroup", "metadata": {"namespace": "shop", "name": "api"}}
		with data.mesh.references as {"HTTPRouteGroup/shop/api": {"from": ["TrafficTarget/shop/a", "TrafficTarget/shop/b"]}, "HTTPRouteGroup/shop/other": {"from": ["a", "b", "c"]}}
		with data.params.most as most
}

test_many_users_are_found if {
	found(1) == {{
		"path": ["metadata", "name"],
		"message": "2 targets and splits use this group, more than 1",
		"effect": "a change of one match changes what all of them mean",
	}}
}

test_few_users_are_fine if count(found(2)) == 0
