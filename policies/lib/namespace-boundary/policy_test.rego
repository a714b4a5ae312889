package meshc.rules.namespace_boundary_test

import data.meshc.rules.namespace_boundary

found(boundaries) := all if {
	all := namespace_boundary.deny with input.object as {
		"metadata": {"namespace": "bank", "name": "payers"},
		"spec": {"sources": [{"namespace": "bank", "name": "bank"}, {"namespace": "web", "name": "web"}]},
	}
		with data.mesh as {
			"references": {"TrafficTarget/bank/payers": {"grants": ["g"]}, "TrafficTarget/bank/other": {"grants": ["h"]}, "TrafficTarget/shop/payers": {"grants": ["h"]}},
			"grants": {"g": {"sources": ["bank/bank", "vm/edge", "web/web"], "destination": "bank/bank"}, "h": {"sources": ["x/x"], "destination": "shop/shop"}},
			"identities": {"x/x": {"namespace": "x"}, "bank/bank": {"namespace": "bank"}, "vm/edge": {"namespace": "vm"}, "web/web": {"namespace": "web"}},
		}
		with data.params.boundaries as boundaries
}

test_nothing_is_an_island_by_default if count(found({})) == 0

test_who_is_not_named_is_found_at_its_source if {
	found({"bank": ["vm"]}) == {{
		"path": ["spec", "sources", 1],
		"message": "web/web is of namespace web, which must not call bank",
		"effect": "the target lets it in to bank/bank",
	}}
}

test_sources_behind_bindings_are_found if {
	some f in found({"bank": ["w*"]})
	f.path == ["spec", "sources"]
	f.message == "vm/edge is of namespace vm, which must not call bank"
}

test_an_island_calls_itself if count(found({"bank": []})) == 2

test_islands_of_others_are_theirs if count(found({"shop": []})) == 0

test_any_pattern_lets_in if count(found({"bank": ["vm", "w*"]})) == 0
