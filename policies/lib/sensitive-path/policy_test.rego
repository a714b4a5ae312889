package meshc.rules.sensitive_path_test

import data.meshc.rules.sensitive_path

found(match) := found_from("web", match)

found_from(namespace, match) := all if {
	all := sensitive_path.deny with input.object as {"metadata": {"namespace": "shop", "name": "buyers"}}
		with data.mesh as {
			"references": {"TrafficTarget/shop/buyers": {"grants": ["g"]}, "TrafficTarget/shop/other": {"grants": ["h"]}},
			"grants": {
				"g": {"rule": 1, "destination": "shop/shop", "sources": ["web/web"], "http": [match]},
				"h": {"rule": 0, "destination": "shop/shop", "sources": ["a/a"], "http": [{"match": "m", "path": "", "methods": ["GET"], "headers": []}]},
			},
			"identities": {"web/web": {"namespace": namespace}, "a/a": {"namespace": "a"}},
		}
		with data.params.paths as ["/debug/pprof", "/admin/users"]
}

test_a_wide_path_is_found_once if {
	found({"match": "all", "path": "/.*", "methods": ["GET"], "headers": []}) == {{
		"path": ["spec", "rules", 1],
		"message": "\"all\" also allows /admin/users to web/web",
		"effect": "web/web can call what shop/shop keeps for its operators",
	}}
}

test_no_path_is_wide if {
	count(found({"match": "all", "path": "", "methods": ["GET"], "headers": []})) == 1
	count(found({"match": "all", "path": "", "methods": [], "headers": [{"name": "x"}]})) == 1
}

test_everything_is_another_finding if count(found({"match": "all", "path": "", "methods": [], "headers": []})) == 0

test_a_path_of_everything_is_everything_too if count(found({"match": "all", "path": "/.*", "methods": [], "headers": []})) == 0

test_part_of_a_path_is_wide if count(found({"match": "d", "path": "/d.*", "methods": [], "headers": []})) == 1

test_what_is_named_is_meant if {
	count(found({"match": "admin", "path": "/admin/.*", "methods": [], "headers": []})) == 0
}

test_the_whole_path_must_match if count(found({"match": "x", "path": "/d", "methods": [], "headers": []})) == 0

test_the_own_namespace_is_fine if count(found_from("shop", {"match": "all", "path": "/.*", "methods": ["GET"], "headers": []})) == 0
