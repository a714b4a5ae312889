package meshc.rules.workload_outside_test

import data.meshc.rules.workload_outside

found(meshed, except) := all if {
	all := workload_outside.deny with input.object as {"kind": "Deployment", "metadata": {"namespace": "web", "name": "old"}}
		with data.mesh.workloads as {"Deployment/web/old": {"meshed": meshed}}
		with data.params.except as except
}

test_a_workload_without_proxy if {
	found(false, ["web/new"]) == {{
		"path": ["metadata", "name"],
		"message": "Deployment web/old has no proxy",
		"effect": "nothing that this mesh grants or denies holds for its pods",
	}}
}

test_meshed_workloads_are_fine if count(found(true, [])) == 0

test_exceptions_are_fine if count(found(false, ["x/y", "web/*"])) == 0
