package meshc.rules.blast_radius_test

import data.meshc.rules.blast_radius

grant(sources, destination) := {"sources": sources, "destination": destination}

found(before, after, most) := {f.message | some f in all} if {
	all := blast_radius.deny with data.mesh as object.union({"grants": {}, "services": {}, "before": object.union({"grants": {}, "services": {}, "settings": {}}, before)}, after)
		with data.params.identities as most
		with data.params.services as most
}

test_callers_and_destination_count_once if {
	before := {"grants": {"g": grant(["a/a", "b/b"], "c/c"), "same": grant(["x/x"], "y/y")}}
	after := {"grants": {"g": grant(["b/b", "d/d"], "c/c"), "same": grant(["x/x"], "y/y")}}
	found(before, after, 3) == {"the change touches 4 identities, more than 3"}
	found(before, after, 4) == set()
}

test_grants_come_and_go if {
	gone := {"grants": {"g": grant(["a/a"], "b/b")}}
	found(gone, {}, 1) == {"the change touches 2 identities, more than 1"}
	found({}, gone, 1) == {"the change touches 2 identities, more than 1"}
}

test_services_come_go_and_change if {
	before := {"services": {"a/gone": 1, "a/other": 1, "a/same": 1}}
	after := {"services": {"a/new": 1, "a/other": 2, "a/same": 1}}
	found(before, after, 2) == {"the change touches 3 services, more than 2"}
	found(before, after, 3) == set()
}

test_without_a_base_nothing_is_found if {
	count(blast_radius.deny) == 0 with data.mesh as {"grants": {"g": grant(["a/a"], "b/b")}, "services": {"a/a": 1}}
		with data.params.identities as 0
		with data.params.services as 0
}
