package meshc.rules.egress_open_test

import data.meshc.rules.egress_open

found(mesh, shop, except) := all if {
	all := egress_open.deny with data.mesh as {
		"settings": {"egress": mesh},
		"namespaces": {"shop": {"egress": shop}, "web": {"egress": mesh}},
	}
		with data.params.namespaces as except
}

test_an_open_mesh_is_one_finding if {
	found("allow", "allow", []) == {{
		"path": ["spec", "egress"],
		"message": "egress is allowed to workloads of the whole mesh",
		"effect": "any address outside of the mesh can be reached, and nothing tells which",
	}}
}

test_an_open_namespace if {
	found("deny", "allow", ["web"]) == {{
		"path": ["spec", "namespaces", "shop", "egress"],
		"message": "egress is allowed to workloads of namespace shop",
		"effect": "any address outside of the mesh can be reached, and nothing tells which",
	}}
}

test_closed_is_fine if count(found("deny", "deny", [])) == 0

test_named_namespaces_may_be_open if count(found("deny", "allow", ["shop"])) == 0
