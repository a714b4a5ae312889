package policies

import "maps"

// meshShape is the schema of data.mesh.
var meshShape = record(withBefore(shape{
	"settings": record(shape{
		"name": text, "trustDomain": text, "clusterDomain": text, "mode": text,
		"egress": text, "plaintext": text, "compat": text,
	}),
	"namespaces": mapOf(record(shape{
		"name": text, "mode": text, "egress": text, "plaintext": text, "labels": anyMap, "annotations": anyMap,
	})),
	"identities": mapOf(record(shape{
		"name": text, "spiffe": text, "namespace": text, "account": text,
		"services": textList, "workloads": textList, "outgoing": textList, "incoming": textList,
	})),
	"services": mapOf(record(shape{
		"name": text, "namespace": text, "service": text, "headless": flag, "outside": flag, "accounts": textList,
		"ports": listOf(record(shape{
			"port": number, "name": text, "protocol": text, "plaintext": flag, "targetPort": number, "targetName": text,
		})),
		"incoming": textList, "roots": textList, "leaves": textList,
	})),
	"grants": mapOf(record(shape{
		"name": text, "object": refShape, "rule": number, "sources": textList, "destination": text,
		"ports": textList, "services": textList, "http": listOf(matchShape), "anyRequest": flag,
	})),
	"calls": mapOf(textList),
	"splits": mapOf(record(shape{
		"name": text, "object": refShape, "root": text, "matches": listOf(matchShape),
		"backends": listOf(record(shape{"service": text, "weight": number, "ports": listOf(number), "missing": flag})),
	})),
	"workloads": mapOf(record(shape{
		"name": text, "object": refShape, "identity": text, "meshed": flag, "replicas": number,
		"services": textList, "labels": anyMap, "annotations": anyMap,
	})),
	"references": mapOf(record(shape{"to": textList, "from": textList, "grants": textList})),
	"objects":    record(objectMaps()),
}))

// before is where the state that a mesh follows lies in data.mesh, in the same shape.
const before = "before"

func withBefore(documents shape) shape {
	out := maps.Clone(documents)
	out[before] = record(documents)
	return out
}

var (
	flag     = shape{"type": "boolean"}
	refShape = record(shape{"kind": text, "namespace": text, "name": text})

	matchShape = record(shape{
		"name": text, "group": refShape, "match": text, "path": text, "methods": textList,
		"headers": listOf(record(shape{"name": text, "regex": text, "full": flag})),
	})
)

func objectMaps() shape {
	out := shape{}
	for kind, s := range shapes {
		out[kind] = mapOf(s)
	}
	return out
}
