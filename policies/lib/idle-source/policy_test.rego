package meshc.rules.idle_source_test

import data.meshc.rules.idle_source

found(kind, users, services, written) := all if {
	all := idle_source.deny with input.object as {"spec": {"sources": [{"kind": kind, "namespace": "web", "name": "idle"}]}}
		with data.mesh as {
			"identities": {"web/idle": {"services": services}},
			"references": {"ServiceAccount/web/idle": {"from": users}},
			"objects": {"ServiceAccount": written},
		}
}

own := {"web/idle": {"kind": "ServiceAccount"}}

test_an_account_without_workload if {
	found("ServiceAccount", ["IdentityBinding/web/b", "TrafficTarget/shop/buyers"], [], own) == {{
		"path": ["spec", "sources", 0, "name"],
		"message": "no workload runs as web/idle",
		"effect": "whoever starts a pod as this account may make these calls",
		"related": [{"object": {"kind": "ServiceAccount"}, "path": ["metadata", "name"], "label": "the account is only written down"}],
	}}
}

test_a_workload_has_it if count(found("ServiceAccount", ["Deployment/web/idle", "TrafficTarget/shop/buyers"], [], own)) == 0

test_known_facts_say_that_it_runs if count(found("ServiceAccount", ["TrafficTarget/shop/buyers"], ["web/web"], own)) == 0

test_an_unknown_account_is_another_finding if count(found("ServiceAccount", ["TrafficTarget/shop/buyers"], [], {})) == 0

test_a_binding_is_no_account if count(found("IdentityBinding", ["TrafficTarget/shop/buyers"], [], own)) == 0
