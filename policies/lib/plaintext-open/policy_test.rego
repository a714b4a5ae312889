package meshc.rules.plaintext_open_test

import data.meshc.rules.plaintext_open

found(mesh, shop, except) := all if {
	all := plaintext_open.deny with data.mesh as {
		"settings": {"plaintext": mesh},
		"namespaces": {"shop": {"plaintext": shop}, "web": {"plaintext": mesh}},
	}
		with data.params.namespaces as except
}

test_an_open_mesh_is_one_finding if {
	found("allow", "allow", []) == {{
		"path": ["spec", "plaintext"],
		"message": "clients in plain text reach every port of the whole mesh",
		"effect": "no grant is asked for, and nothing is encrypted",
	}}
}

test_an_open_namespace if {
	found("deny", "allow", ["web"]) == {{
		"path": ["spec", "namespaces", "shop", "plaintext"],
		"message": "clients in plain text reach every port of namespace shop",
		"effect": "no grant is asked for, and nothing is encrypted",
	}}
}

test_closed_is_fine if count(found("deny", "deny", [])) == 0

test_named_namespaces_may_be_open if count(found("deny", "allow", ["shop"])) == 0
