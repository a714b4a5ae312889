package meshc.rules.service_of_unlike_accounts_test

import data.meshc.rules.service_of_unlike_accounts

found(second) := all if {
	all := service_of_unlike_accounts.deny with input.object as {"metadata": {"namespace": "shop", "name": "shop"}}
		with data.mesh as {
			"services": {"shop/shop": {"accounts": ["shop/a", "shop/b"]}},
			"calls": {"shop/a": ["shop/db", "shop/mail"], "shop/b": second},
		}
}

test_unlike_accounts if {
	found(["shop/mail"]) == {{
		"path": ["spec", "selector"],
		"message": "its pods run as shop/a, shop/b, and not all of them may call shop/db",
		"effect": "the same request succeeds or fails, depending on the pod that gets it",
	}}
}

test_equal_accounts_are_fine if count(found(["shop/db", "shop/mail"])) == 0
