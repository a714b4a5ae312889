package meshc.rules.shadowed_match_test

import data.meshc.rules.shadowed_match

target(rule) := {"metadata": {"namespace": "shop", "name": "buyers"}, "spec": {"rules": [rule]}}

found_by(rule, matches) := all if {
	all := shadowed_match.deny with input.object as target(rule)
		with data.mesh.objects.HTTPRouteGroup as {"shop/api": {"spec": {"matches": matches}}}
}

found(matches) := found_by({"kind": "HTTPRouteGroup", "name": "api"}, matches)

list := {"name": "list", "pathRegex": "/books$", "methods": ["GET"]}

test_a_match_of_everything_shadows_the_rest if {
	some f in found([{"name": "all", "pathRegex": "/.*", "methods": ["*"]}, list])
	f.path == ["spec", "rules", 0]
	f.message == "\"list\" narrows nothing, as \"all\" allows it already"
	f.related[0].path == ["spec", "matches", 0]
	f.related[1].path == ["spec", "matches", 1]
}

test_no_path_and_no_method_are_everything if count(found([list, {"name": "all"}])) == 1

test_each_shadowed_match_is_told_once if {
	count(found([{"name": "all"}, {"name": "again"}, {"name": "books", "pathRegex": "/books$"}, list])) == 3
}

test_the_same_path_with_every_method if {
	some f in found([list, {"name": "books", "pathRegex": "/books$"}])
	f.message == "\"list\" narrows nothing, as \"books\" allows it already"
}

test_each_path_has_its_own if {
	some f in found([{"name": "orders", "pathRegex": "/orders$"}, list, {"name": "books", "pathRegex": "/books$"}])
	f.message == "\"list\" narrows nothing, as \"books\" allows it already"
}

test_another_path_is_fine if count(found([list, {"name": "orders", "pathRegex": "/orders$"}])) == 0

test_the_same_path_with_another_method_is_fine if {
	count(found([list, {"name": "add", "pathRegex": "/books$", "methods": ["POST"]}])) == 0
}

test_a_match_with_headers_shadows_nothing if count(found([list, {"name": "inside", "headers": {"x": "y"}}])) == 0

test_only_what_is_picked_counts if {
	all := [{"name": "all"}, list]
	count(found_by({"kind": "HTTPRouteGroup", "name": "api", "matches": ["list"]}, all)) == 0
	count(found_by({"kind": "HTTPRouteGroup", "name": "api", "matches": ["all"]}, all)) == 0
	count(found_by({"kind": "HTTPRouteGroup", "name": "api", "matches": ["all", "list"]}, all)) == 1
	count(found_by({"kind": "TCPRoute", "name": "api"}, all)) == 0
}

test_what_is_not_picked_shadows_nothing_on_its_path if {
	all := [list, {"name": "books", "pathRegex": "/books$"}, {"name": "more", "pathRegex": "/books$"}]
	some f in found_by({"kind": "HTTPRouteGroup", "name": "api", "matches": ["list", "more"]}, all)
	f.message == "\"list\" narrows nothing, as \"more\" allows it already"
}
