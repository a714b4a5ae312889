package meshc.rules.default_account_test

import data.meshc.rules.default_account

found(source, destination) := all if {
	all := default_account.deny with input.object as {"spec": {
		"destination": {"kind": "ServiceAccount", "name": destination},
		"rules": [],
		"sources": [
			{"kind": "ServiceAccount", "name": "web", "namespace": "web"},
			{"kind": "ServiceAccount", "name": source, "namespace": "web"},
		],
	}}
}

test_accounts_of_their_own_are_fine if count(found("api", "shop")) == 0

test_a_default_source if {
	some f in found("default", "shop")
	f.path == ["spec", "sources", 1, "name"]
	f.message == "the source is the default account of namespace \"web\""
}

test_a_default_destination if {
	some f in found("api", "default")
	f.path == ["spec", "destination", "name"]
}

test_both_ends_are_two_findings if count(found("default", "default")) == 2

test_a_binding_called_default_is_no_account if {
	count(default_account.deny) == 0 with input.object as {"spec": {
		"destination": {"kind": "IdentityBinding", "name": "default"},
		"sources": [{"kind": "IdentityBinding", "name": "default", "namespace": "web"}],
	}}
}
