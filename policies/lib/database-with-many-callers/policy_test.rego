package meshc.rules.database_with_many_callers_test

import data.meshc.rules.database_with_many_callers

found(ports, most) := all if {
	all := database_with_many_callers.deny with input.object as {"metadata": {"namespace": "shop", "name": "db"}, "spec": {"ports": [{"port": 80}, {"port": 5432}]}}
		with data.mesh as {
			"services": {"shop/db": {"incoming": ["g1", "g2", "g3"]}},
			"grants": {
				"g1": {"ports": ["shop/db:5432"], "sources": ["a/a", "b/b"]},
				"g2": {"ports": ["shop/db:5432"], "sources": ["b/b", "c/c"]},
				"g3": {"ports": ["shop/db:80"], "sources": ["d/d"]},
				"stale": {"ports": ["shop/db:5432"], "sources": ["e/e"]},
			},
		}
		with data.params as {"ports": ports, "most": most}
}

test_callers_are_counted_once if {
	found([5432], 2) == {{
		"path": ["spec", "ports", 1, "port"],
		"message": "3 identities may open connections to port 5432, more than 2",
		"effect": "a/a, b/b, c/c",
	}}
}

test_few_callers_are_fine if count(found([5432], 3)) == 0

test_other_ports_are_no_database if count(found([3306], 0)) == 0
