package meshc.rules.grant_to_everyone_test

import data.meshc.rules.grant_to_everyone

found(sources, share) := all if {
	all := grant_to_everyone.deny with input.object as {"metadata": {"namespace": "shop", "name": "all"}}
		with data.mesh as {
			"references": {"TrafficTarget/shop/all": {"grants": ["g"]}, "TrafficTarget/shop/other": {"grants": ["h"]}},
			"grants": {"g": {"sources": sources, "destination": "shop/shop"}, "h": {"sources": ["a/a", "b/b", "c/c"], "destination": "shop/other"}},
			"identities": {"a/a": {}, "b/b": {}, "c/c": {}, "shop/shop": {}},
		}
		with data.params as {"least": 2, "share": share}
}

test_most_identities_are_nearly_all if {
	found(["a/a", "b/b", "c/c"], 50) == {{
		"path": ["spec", "sources"],
		"message": "3 of the 4 identities of the mesh are let in",
		"effect": "the target keeps hardly anybody from shop/shop",
	}}
}

test_half_is_not_more_than_half if count(found(["a/a", "b/b"], 50)) == 0

test_few_are_fine_in_a_small_mesh if {
	count(found(["a/a"], 10)) == 0
	count(found(["a/a", "b/b"], 10)) == 1
}
