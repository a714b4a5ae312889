package meshc.rules.can_alter_interception_test

import data.meshc.rules.can_alter_interception

found_in(meshed, object) := all if {
	all := can_alter_interception.deny with input.object as object
		with data.params.capabilities as ["NET_ADMIN", "ALL"]
		with data.mesh.workloads as {"Deployment/shop/shop": {"meshed": meshed}}
}

found(pod) := found_in(true, {"kind": "Deployment", "metadata": {"namespace": "shop", "name": "shop"}, "spec": {"template": {"spec": pod}}})

admin := {"name": "b", "securityContext": {"capabilities": {"add": ["SYS_TIME", "CAP_NET_ADMIN"]}}}

privileged := {"name": "c", "securityContext": {"privileged": true}}

test_a_capability_is_found if {
	found({"containers": [{"name": "a"}, admin]}) == {{
		"path": ["spec", "template", "spec", "containers", 1, "securityContext", "capabilities", "add", 1],
		"message": "container \"b\" has the capability CAP_NET_ADMIN",
		"effect": "it can lead its traffic around the proxy, and so around every grant",
	}}
}

test_a_privileged_container_is_found if {
	found({"initContainers": [privileged]}) == {{
		"path": ["spec", "template", "spec", "initContainers", 0, "securityContext", "privileged"],
		"message": "container \"c\" is privileged",
		"effect": "it can lead its traffic around the proxy, and so around every grant",
	}}
}

test_other_kinds_keep_pods_elsewhere if {
	meta := {"namespace": "shop", "name": "x"}
	pod := {"containers": [admin, privileged]}
	count(found_in(true, {"kind": "Pod", "metadata": meta, "spec": pod})) == 2
	count(found_in(true, {"kind": "CronJob", "metadata": meta, "spec": {"jobTemplate": {"spec": {"template": {"spec": pod}}}}})) == 2
}

test_only_containers_run if count(found({"others": [admin, privileged]})) == 0

test_init_containers_have_capabilities_too if count(found({"initContainers": [admin], "containers": [privileged]})) == 2

test_others_are_fine if {
	count(found({"containers": [{"name": "a", "securityContext": {"privileged": false, "capabilities": {"add": ["SYS_TIME"]}}}]})) == 0
}

test_outside_of_the_mesh_nothing_is_intercepted if {
	pod := {"containers": [admin, privileged]}
	count(found_in(false, {"kind": "Deployment", "metadata": {"namespace": "shop", "name": "shop"}, "spec": {"template": {"spec": pod}}})) == 0
}
