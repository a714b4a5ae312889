package meshc.rules.runs_as_the_proxy_test

import data.meshc.rules.runs_as_the_proxy

found_in(meshed, object) := all if {
	all := runs_as_the_proxy.deny with input.object as object
		with data.params.uid as 1500
		with data.mesh.workloads as {"Deployment/shop/shop": {"meshed": meshed}}
}

found(pod) := found_in(true, {"kind": "Deployment", "metadata": {"namespace": "shop", "name": "shop"}, "spec": {"template": {"spec": pod}}})

test_a_container_is_found if {
	found({"containers": [{"name": "a"}, {"name": "b", "securityContext": {"runAsUser": 1500}}]}) == {{
		"path": ["spec", "template", "spec", "containers", 1, "securityContext", "runAsUser"],
		"message": "user 1500 is the proxy's own",
		"effect": "what it sends is not intercepted: no mTLS, and no grant is asked for",
	}}
}

test_a_pod_and_its_init_containers_are_found if {
	some f in found({"securityContext": {"runAsUser": 1500}})
	f.path == ["spec", "template", "spec", "securityContext", "runAsUser"]
	some g in found({"initContainers": [{"securityContext": {"runAsUser": 1500}}]})
	g.path == ["spec", "template", "spec", "initContainers", 0, "securityContext", "runAsUser"]
}

test_other_kinds_keep_pods_elsewhere if {
	meta := {"namespace": "shop", "name": "x"}
	pod := {"securityContext": {"runAsUser": 1500}}
	some f in found_in(true, {"kind": "Pod", "metadata": meta, "spec": pod})
	f.path == ["spec", "securityContext", "runAsUser"]
	some g in found_in(true, {"kind": "CronJob", "metadata": meta, "spec": {"jobTemplate": {"spec": {"template": {"spec": pod}}}}})
	g.path == ["spec", "jobTemplate", "spec", "template", "spec", "securityContext", "runAsUser"]
}

test_other_users_are_fine if count(found({"containers": [{"securityContext": {"runAsUser": 1000}}]})) == 0

test_outside_of_the_mesh_no_proxy_is_passed_by if {
	pod := {"securityContext": {"runAsUser": 1500}}
	count(found_in(false, {"kind": "Deployment", "metadata": {"namespace": "shop", "name": "shop"}, "spec": {"template": {"spec": pod}}})) == 0
}

test_outside_containers_are_fine_too if {
	pod := {"containers": [{"securityContext": {"runAsUser": 1500}}]}
	count(found_in(false, {"kind": "Deployment", "metadata": {"namespace": "shop", "name": "shop"}, "spec": {"template": {"spec": pod}}})) == 0
}

test_only_containers_run if count(found({"others": [{"securityContext": {"runAsUser": 1500}}]})) == 0
