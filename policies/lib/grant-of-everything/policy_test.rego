package meshc.rules.grant_of_everything_test

import data.meshc.rules.grant_of_everything

target(namespace, rule) := {
	"kind": "TrafficTarget",
	"metadata": {"namespace": "shop", "name": "buyers"},
	"spec": {
		"destination": {"kind": "ServiceAccount", "name": "shop"},
		"rules": [rule],
		"sources": [{"kind": "ServiceAccount", "name": "buyer", "namespace": namespace}],
	},
}

groups := {"shop/api": {
	"kind": "HTTPRouteGroup",
	"metadata": {"namespace": "shop", "name": "api"},
	"spec": {"matches": [
		{"name": "all", "pathRegex": ".*", "methods": ["*"]},
		{"name": "books", "pathRegex": "/books", "methods": ["GET"]},
		{"name": "inside", "pathRegex": ".*", "headers": {"x-inside": "yes"}},
		{"name": "reads", "pathRegex": "/.*", "methods": ["GET"]},
		{"name": "admin", "pathRegex": "/admin", "methods": ["*"]},
	]},
}}

bare := {"shop/api": {
	"kind": "HTTPRouteGroup",
	"metadata": {"namespace": "shop", "name": "api"},
	"spec": {"matches": [{"name": "bare"}]},
}}

found(namespace, rule, free) := all if {
	all := grant_of_everything.deny with input.object as target(namespace, rule)
		with data.mesh.objects.HTTPRouteGroup as groups
		with data.params.namespaces as free
}

test_a_whole_group_is_everything if {
	some f in found("web", {"kind": "HTTPRouteGroup", "name": "api"}, [])
	f.path == ["spec", "rules", 0]
	f.message == "\"all\" allows any request on any path, and buyer is of another namespace"
	f.related[0].path == ["spec", "matches", 0]
}

test_one_match_is_one_finding if count(found("web", {"kind": "HTTPRouteGroup", "name": "api"}, [])) == 1

test_what_is_left_out_narrows_nothing if {
	all := grant_of_everything.deny with input.object as target("web", {"kind": "HTTPRouteGroup", "name": "api"})
		with data.mesh.objects.HTTPRouteGroup as bare
	count(all) == 1
}

test_the_same_namespace_is_fine if count(found("shop", {"kind": "HTTPRouteGroup", "name": "api"}, [])) == 0

test_a_picked_match_counts_alone if {
	count(found("web", {"kind": "HTTPRouteGroup", "name": "api", "matches": ["books", "inside"]}, [])) == 0
	count(found("web", {"kind": "HTTPRouteGroup", "name": "api", "matches": ["all"]}, [])) == 1
}

test_namespaces_can_be_let_off if count(found("web", {"kind": "HTTPRouteGroup", "name": "api"}, ["web"])) == 0

test_raw_ports_are_not_requests if count(found("web", {"kind": "TCPRoute", "name": "api"}, [])) == 0
