package meshc.rules.permissive_in_production_test

import data.meshc.rules.permissive_in_production

found(mode, label, namespaces) := all if {
	all := permissive_in_production.deny with input.object as {"spec": {"namespaces": namespaces}}
		with data.mesh.namespaces as {"shop": {"mode": mode, "labels": {"env": label}}}
		with data.params as {"modes": ["permissive"], "label": "env", "values": ["live"]}
}

test_a_namespace_that_is_opened if {
	found("permissive", "live", {"shop": {"mode": "permissive"}}) == {{
		"path": ["spec", "namespaces", "shop", "mode"],
		"message": "the namespace shop is production and permissive",
		"effect": "calls without a grant are let through",
	}}
}

test_a_mesh_that_is_open if {
	some f in found("permissive", "live", {})
	f.path == ["spec", "mode"]
}

test_strict_is_fine if count(found("strict", "live", {})) == 0

test_tests_may_be_open if count(found("permissive", "test", {})) == 0
