# METADATA
# scope: package
# title: a backend with a weight runs no pod
# description: |
#   The backend's workloads are in the tree with `replicas: 0`, yet it gets a share of
#   the calls: that share is answered 503 until somebody scales it. Workloads that
#   something else scales are fine once their manifest leaves `replicas` out.
# custom:
#   meshc:
#     id: MSH2502
#     severity: warning
#     scope: object
#     kinds: [TrafficSplit]
#     help: give it weight 0 until it runs, or leave `replicas` to what scales it
#     since: 0.2.0
package meshc.rules.weight_on_nothing

deny contains {
	"path": ["spec", "backends", i, "weight"],
	"message": sprintf("%s gets a share, and its workloads have 0 replicas", [backend.service]),
	"effect": "its share of the calls is answered 503",
	"related": [{"object": w.object, "path": ["spec", "replicas"], "label": "no replicas"} | some w in behind],
} if {
	some i, backend in input.object.spec.backends
	backend.weight > 0
	name := concat("/", [input.object.metadata.namespace, split(backend.service, ".")[0]])
	behind := {w |
		some account in data.mesh.services[name].accounts
		some v in data.mesh.identities[account].workloads
		w := data.mesh.workloads[v]
		name in w.services
	}
	count(behind) > 0
	every w in behind { w.replicas == 0 }
}
