package rules.owners_test

import data.rules.owners

found(labels) := all if {
	all := owners.deny with input.object as {"metadata": {"name": "buyers", "labels": labels}}
		with data.params.label as "team"
}

test_an_owner_is_fine if count(found({"team": "shop"})) == 0

test_no_owner_is_found_at_the_name if {
	some f in found({"owner": "shop"})
	f.path == ["metadata", "name"]
}
