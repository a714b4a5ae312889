package meshc.rules.contradictory_targets_test

import data.meshc.rules.contradictory_targets

grant(name, http, ports, sources) := {
	"object": {"kind": "TrafficTarget", "namespace": "shop", "name": name}, "rule": 0, "destination": "shop/shop",
	"http": http, "anyRequest": count(http) == 0, "ports": ports, "sources": sources,
}

narrow := grant("narrow", [{"path": "/books", "methods": ["GET"], "headers": []}], ["shop/shop:80"], ["web/b", "web/a"])

found_with(first, other, teams) := all if {
	all := contradictory_targets.deny with data.mesh as {
		"identities": {"shop/shop": {"incoming": ["n", "o"]}, "web/a": {"incoming": []}},
		"grants": {
			"n": first,
			"o": other,
			# Of another account behind the same port.
			"p": grant("stray", [{"path": "/books", "methods": ["GET"], "headers": []}], ["shop/shop:80"], ["web/a", "web/c"]),
			"q": grant("open", any, ["shop/shop:80"], ["web/a", "web/b", "web/c"]),
		},
		"objects": {"TrafficTarget": {"shop/narrow": {"metadata": {"labels": {"team": teams[0]}}}, "shop/wide": {"metadata": {"labels": {"team": teams[1]}}}, "shop/stray": {"metadata": {"labels": {"team": "green"}}}, "shop/open": {"metadata": {"labels": {"team": "green"}}}}},
	}
		with data.params.label as "team"
}

found(other) := found_with(narrow, other, ["red", "blue"])

any := [{"path": "", "methods": [], "headers": []}]

test_another_teams_wide_rule_is_found if {
	found(grant("wide", any, ["shop/shop:80"], ["web/a", "web/b", "web/c"])) == {{
		"object": narrow.object,
		"path": ["spec", "rules", 0],
		"message": "the rule is narrow, but \"wide\" of team blue allows everything to the same sources",
		"effect": "what the rule leaves out of shop/shop is allowed all the same",
		"related": [{"object": {"kind": "TrafficTarget", "namespace": "shop", "name": "wide"}, "path": ["spec", "rules", 0], "label": "this rule allows everything"}],
	}}
}

test_raw_ports_are_everything if count(found(grant("wide", [], ["shop/shop:80"], ["web/a"]))) == 1

test_teams_of_one_name_agree if {
	count(found_with(narrow, grant("wide", any, ["shop/shop:80"], ["web/a"]), ["red", "red"])) == 0
}

test_two_wide_rules_do_not_contradict if {
	count(found_with(grant("narrow", any, ["shop/shop:80"], ["web/a"]), grant("wide", [], ["shop/shop:80"], ["web/a"]), ["red", "blue"])) == 0
}

test_other_sources_are_others_concern if count(found(grant("wide", any, ["shop/shop:80"], ["web/c"]))) == 0

test_other_ports_are_something_else if count(found(grant("wide", any, ["shop/shop:81"], ["web/a"]))) == 0

test_narrow_beside_narrow_is_fine if {
	count(found(grant("wide", [{"path": "", "methods": ["GET"], "headers": []}], ["shop/shop:80"], ["web/a"]))) == 0
	count(found(grant("wide", [{"path": "/x", "methods": [], "headers": []}], ["shop/shop:80"], ["web/a"]))) == 0
	count(found(grant("wide", [{"path": "", "methods": [], "headers": [{"name": "x"}]}], ["shop/shop:80"], ["web/a"]))) == 0
}
