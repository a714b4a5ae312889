package meshc.rules.service_nobody_may_call_test

import data.meshc.rules.service_nobody_may_call

found(accounts, incoming, mode, except) := all if {
	all := service_nobody_may_call.deny with input.object as {"metadata": {"namespace": "shop", "name": "shop"}}
		with data.mesh as {
			"services": {"shop/shop": {"namespace": "shop", "accounts": accounts, "incoming": incoming}},
			"namespaces": {"shop": {"mode": mode}},
		}
		with data.params.except as except
}

test_a_service_without_grants if {
	found(["shop/shop"], [], "strict", ["shop/web"]) == {{
		"path": ["metadata", "name"],
		"message": "no target grants a call to shop/shop",
		"effect": "every call to it is refused",
	}}
}

test_a_grant_is_enough if count(found(["shop/shop"], ["g"], "strict", [])) == 0

test_without_workloads_there_is_nothing_to_call if count(found([], [], "strict", [])) == 0

test_other_modes_let_calls_through if count(found(["shop/shop"], [], "audit", [])) == 0

test_exceptions_are_fine if count(found(["shop/shop"], [], "strict", ["x/y", "shop/*"])) == 0
