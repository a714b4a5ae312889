package meshc.rules.public_reaches_restricted_test

import data.meshc.rules.public_reaches_restricted

workload(identity, labels) := {
	"identity": identity, "meshed": true, "labels": labels,
	"object": {"kind": "Deployment", "namespace": split(identity, "/")[0], "name": "x"},
}

grant(name, sources, destination) := {
	"object": {"kind": "TrafficTarget", "namespace": "x", "name": name},
	"sources": sources, "destination": destination,
}

mesh := {
	"workloads": {
		"a": workload("web/front", {"meshc.dev/exposure": "public"}),
		"b": workload("shop/stock", {}),
		"c": workload("bank/ledger", {}),
	},
	"namespaces": {
		"bank": {"labels": {"meshc.dev/exposure": "restricted"}},
		"shop": {"labels": {}}, "web": {"labels": {}},
	},
	"identities": {"bank/ledger": {"incoming": ["g2"]}, "shop/stock": {"incoming": ["g1"]}, "web/front": {"incoming": []}},
	"grants": {"g1": grant("one", ["web/front"], "shop/stock"), "g2": grant("two", ["bank/audit", "shop/stock"], "bank/ledger")},
	"calls": {"web/front": ["shop/stock"], "shop/stock": ["bank/ledger"], "bank/ledger": []},
}

found(world) := all if {
	all := public_reaches_restricted.deny with data.mesh as world
		with data.params.label as "meshc.dev/exposure"
}

test_a_chain_is_found_at_its_last_step if {
	all := found(mesh)
	count(all) == 1
	some f in all
	f.object.name == "two"
	f.message == "web/front is public and reaches bank/ledger, which is restricted; the last step is from shop/stock"
}

test_a_cut_chain_is_fine if {
	count(found(object.union(mesh, {"calls": {"web/front": ["shop/stock"], "shop/stock": [], "bank/ledger": []}}))) == 0
}

test_a_label_of_the_pod_overrules_its_namespace if {
	count(found(object.union(mesh, {"workloads": {"c": {"labels": {"meshc.dev/exposure": "inner"}}}}))) == 0
}

test_what_is_outside_of_the_mesh_has_no_identity if {
	count(found(object.union(mesh, {"workloads": {"a": {"meshed": false}}}))) == 0
}
