package meshc.rules.label_required_test

import data.meshc.rules.label_required

found(labels, params) := all if {
	all := label_required.deny with input.object as {"kind": "TrafficTarget", "metadata": {"labels": labels}}
		with data.params as params
}

params := {"kinds": ["TrafficTarget"], "labels": [{"name": "team"}, {"name": "tier", "pattern": "[0-3]"}]}

test_nothing_is_required_by_default if count(found({}, {"kinds": ["TrafficTarget"], "labels": []})) == 0

test_missing_labels_are_found if {
	found({"tier": "1"}, params) == {{"path": ["metadata", "labels"], "message": "the label \"team\" is missing"}}
}

test_other_values_are_found if {
	found({"team": "red", "tier": "12"}, params) == {{
		"path": ["metadata", "labels", "tier"],
		"message": "the label \"tier\" has the value \"12\", which does not match \"[0-3]\"",
	}}
}

test_whole_objects_are_fine if count(found({"team": "red", "tier": "3"}, params)) == 0

test_a_name_without_value_is_there if count(found({"team": "", "tier": "3"}, params)) == 0

test_other_kinds_need_none if count(found({}, {"kinds": ["Service"], "labels": [{"name": "team"}]})) == 0
