package meshc.rules.plaintext_port_test

import data.meshc.rules.plaintext_port

found(except, ports) := all if {
	all := plaintext_port.deny with input.object as {"metadata": {"namespace": "shop", "name": "shop"}}
		with data.mesh.services as {
			"shop/shop": {"ports": [{"port": 80, "plaintext": false}, {"port": 9090, "plaintext": true}]},
			"shop/other": {"ports": [{"port": 9091, "plaintext": true}]},
		}
		with data.params as {"except": except, "ports": ports}
}

test_a_plain_port_is_found if {
	found(["shop/web"], [80]) == {{
		"path": ["metadata", "annotations", "meshc.dev/plaintext-ports"],
		"message": "port 9090 of shop/shop answers in plain text",
		"effect": "no grant is asked for, and nothing is encrypted",
	}}
}

test_excepted_services_are_fine if count(found(["x/y", "shop/*"], [])) == 0

test_excepted_ports_are_fine if count(found([], [9090])) == 0
