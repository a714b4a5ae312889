package meshc.rules.port_without_app_protocol_test

import data.meshc.rules.port_without_app_protocol

found(port) := all if {
	all := port_without_app_protocol.deny with input.object as {"spec": {"ports": [port]}}
}

test_the_name_alone_is_found if {
	found({"name": "grpc-api", "port": 80}) == {{
		"path": ["spec", "ports", 0, "name"],
		"message": "only the name \"grpc-api\" says what port 80 speaks",
		"effect": "whoever renames the port changes how it is judged",
	}}
}

test_app_protocol_is_fine if count(found({"name": "http", "port": 80, "appProtocol": "http"})) == 0

test_a_guess_is_another_finding if count(found({"name": "web", "port": 80})) == 0
