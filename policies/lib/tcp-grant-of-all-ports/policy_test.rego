package meshc.rules.tcp_grant_of_all_ports_test

import data.meshc.rules.tcp_grant_of_all_ports

found(ports, route, rule, destination) := all if {
	all := tcp_grant_of_all_ports.deny with input.object as {
		"metadata": {"namespace": "shop", "name": "buyers"},
		"spec": {"rules": [{"kind": "HTTPRouteGroup", "name": "db"}, rule], "destination": destination},
	}
		with data.mesh as {
			"references": {"TrafficTarget/shop/buyers": {"grants": ["g"]}, "TrafficTarget/shop/other": {"grants": ["h"]}},
			"grants": {"g": {"rule": 1, "ports": ports}, "h": {"rule": 1, "ports": ["shop/x:1", "shop/x:2"]}},
			"objects": {"TCPRoute": {"shop/db": {"spec": route}}},
		}
}

two := ["shop/db:80", "shop/db:5432"]

tcp := {"kind": "TCPRoute", "name": "db"}

test_no_ports_are_all_ports if {
	found(two, {}, tcp, {}) == {{
		"path": ["spec", "rules", 1],
		"message": "TCPRoute \"db\" names no port, so shop/db:80, shop/db:5432 are opened",
		"effect": "ports that are added later are opened too",
	}}
	count(found(two, {"matches": {"ports": []}}, tcp, {})) == 1
}

test_named_ports_are_fine if count(found(two, {"matches": {"ports": [80, 5432]}}, tcp, {})) == 0

test_one_port_is_fine if count(found(["shop/db:80"], {}, tcp, {})) == 0

test_old_targets_name_the_port if count(found(two, {}, tcp, {"port": 80})) == 0

test_other_kinds_have_no_ports if count(found(two, {}, {"kind": "HTTPRouteGroup", "name": "db"}, {})) == 0
