package meshc.rules.forbidden_pairs_test

import data.meshc.rules.forbidden_pairs

mesh := {
	"references": {
		"TrafficTarget/shop/buyers": {"grants": ["TrafficTarget/shop/buyers#rule0"]},
		"TrafficTarget/shop/others": {"grants": ["TrafficTarget/shop/others#rule0"]},
	},
	"grants": {
		"TrafficTarget/shop/buyers#rule0": {"sources": ["vm/edge", "web/web"], "destination": "shop/shop"},
		"TrafficTarget/shop/others#rule0": {"sources": ["lab/lab"], "destination": "shop/shop"},
	},
}

found(pairs) := all if {
	all := forbidden_pairs.deny with input.object as {
		"metadata": {"namespace": "shop", "name": "buyers"},
		"spec": {"sources": [{"kind": "ServiceAccount", "namespace": "web", "name": "web"}]},
	}
		with data.mesh as mesh
		with data.params.pairs as pairs
}

test_nothing_is_forbidden_by_default if count(found([])) == 0

test_a_pair_is_found_at_its_source if {
	some f in found([{"from": "web/web", "to": "shop/shop", "why": "PCI"}])
	f.path == ["spec", "sources", 0]
	f.message == "web/web may never call shop/shop: PCI"
}

test_stars_stand_for_names if {
	count(found([{"from": "web/*", "to": "*/shop"}])) == 1
	count(found([{"from": "*", "to": "shop/shop"}])) == 0
}

test_a_source_behind_a_binding_is_found if {
	some f in found([{"from": "vm/*", "to": "shop/*"}])
	f.path == ["spec", "sources"]
	f.message == "vm/edge may never call shop/shop"
}

test_targets_answer_for_themselves if count(found([{"from": "lab/lab", "to": "shop/shop"}])) == 0

test_other_pairs_are_fine if count(found([{"from": "shop/shop", "to": "web/web"}])) == 0
