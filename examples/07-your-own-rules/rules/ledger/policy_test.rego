package rules.ledger_test

import data.rules.ledger

target(labels, source) := {
	"metadata": {"namespace": "pay", "name": "t", "labels": labels},
	"spec": {"sources": [source]},
}

mesh(grant) := {
	"references": {"TrafficTarget/pay/t": {"grants": ["TrafficTarget/pay/t#rule0"]}},
	"grants": {"TrafficTarget/pay/t#rule0": object.union({"object": "TrafficTarget/pay/t"}, grant)},
}

found(labels, source, grant) := all if {
	all := ledger.deny with input.object as target(labels, source)
		with data.mesh as mesh(grant)
		with data.params.namespaces as ["pay"]
}

outside := {"name": "web", "namespace": "shop"}

put := {"anyRequest": false, "http": [{"methods": ["PUT"]}]}

get := {"anyRequest": false, "http": [{"methods": ["GET"]}]}

test_writing_is_found if {
	some f in found({}, outside, put)
	f.path == ["spec", "sources", 0, "name"]
}

test_anything_is_writing if count(found({}, outside, {"anyRequest": true, "http": []})) == 1

test_reading_is_fine if count(found({}, outside, get)) == 0

test_reviewed_is_fine if count(found({"reviewed-by": "security"}, outside, put)) == 0

test_neighbours_are_fine if count(found({}, {"name": "web", "namespace": "pay"}, put)) == 0

test_other_namespaces_are_fine if {
	count(ledger.deny) == 0 with input.object as target({}, outside)
		with data.mesh as mesh(put)
		with data.params.namespaces as ["bank"]
}

test_grants_of_other_targets_are_not_ours if {
	others := {
		"references": {"TrafficTarget/pay/other": {"grants": ["TrafficTarget/pay/other#rule0"]}},
		"grants": {"TrafficTarget/pay/other#rule0": object.union({"object": "TrafficTarget/pay/other"}, put)},
	}
	count(ledger.deny) == 0 with input.object as target({}, outside)
		with data.mesh as object.union(mesh(get), others)
		with data.params.namespaces as ["pay"]
}
