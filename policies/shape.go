package policies

import (
	"maps"
	"slices"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
)

// shape is what a value looks like to a rule: the schema that rules are compiled
// against, in the notation of JSON Schema.
type shape = map[string]any

var (
	text     = shape{"type": "string"}
	number   = shape{"type": "number"}
	anyMap   = shape{"type": "object"}
	textList = listOf(text)
)

// mapOf is a map by names, of which OPA's type checker knows nothing: see fields.go.
func mapOf(entry shape) shape {
	return shape{"type": "object", "additionalProperties": entry}
}

func record(fields shape) shape { return shape{"type": "object", "properties": fields} }
func listOf(item shape) shape   { return shape{"type": "array", "items": item} }
func object(spec shape) shape {
	return record(shape{
		"apiVersion": text, "kind": text, "spec": spec,
		"metadata": record(shape{"name": text, "namespace": text, "labels": anyMap, "annotations": anyMap}),
	})
}

// shapes are the kinds that rules may judge, as input.object.
var shapes = map[string]shape{
	"TrafficTarget": object(record(shape{
		"destination": subjectShape, "sources": listOf(subjectShape),
		"rules": listOf(record(shape{"kind": text, "name": text, "matches": textList})),
	})),
	"HTTPRouteGroup": object(record(shape{
		"matches": listOf(record(shape{"name": text, "pathRegex": text, "methods": textList, "headers": anyMap})),
	})),
	"TCPRoute": object(record(shape{"matches": record(shape{"ports": listOf(number)})})),
	"UDPRoute": object(record(shape{"matches": record(shape{"ports": listOf(number)})})),
	"TrafficSplit": object(record(shape{
		"service": text, "backends": listOf(record(shape{"service": text, "weight": number})),
		"matches": listOf(record(shape{"apiGroup": text, "kind": text, "name": text})),
	})),
	"IdentityBinding": object(record(shape{"schemes": record(shape{
		"podLabelSelector": record(shape{"matchLabels": anyMap}), "spiffeIdentities": textList, "serviceAccount": text,
	})})),
	"Mesh":                  object(anyMap),
	"Namespace":             written,
	"Service":               written,
	"ServiceAccount":        written,
	"Pod":                   written,
	"Deployment":            written,
	"StatefulSet":           written,
	"DaemonSet":             written,
	"ReplicaSet":            written,
	"ReplicationController": written,
	"Job":                   written,
	"CronJob":               written,
	"Rollout":               written,
	"Canary":                written,
}

var subjectShape = record(shape{"kind": text, "name": text, "namespace": text, "group": text, "port": number})

// written is an object as Kubernetes has it: strict decoding has judged its
// fields already, and a rule may read any of them.
var written = shape{"type": "object"}

// Kinds are the kinds that rules may judge, sorted.
func Kinds() []string { return slices.Sorted(maps.Keys(shapes)) }

// schemas is the set that the annotations of rules refer to.
var schemas = sync.OnceValue(func() *ast.SchemaSet {
	set := ast.NewSchemaSet()
	for kind, s := range shapes {
		set.Put(schemaRef("input", kind), inputShape(s))
	}
	set.Put(schemaRef("input", "namespace"), record(shape{"namespace": text}))
	set.Put(schemaRef("input", "mesh"), record(shape{"scope": text}))
	set.Put(schemaRef("mesh"), meshShape)
	return set
})

func inputShape(object shape) shape {
	return record(shape{"object": object, "apiVersion": text})
}

func schemaRef(names ...string) ast.Ref {
	ref := ast.SchemaRootRef.Copy()
	for _, n := range names {
		ref = append(ref, ast.StringTerm(n))
	}
	return ref
}

// schemas attaches the schemas of its input and of data.mesh to a rule.
func (r *Rule) schemas() []*ast.SchemaAnnotation {
	at := &ast.SchemaAnnotation{Path: ast.InputRootRef.Copy()}
	switch {
	case r.Scope != ScopeObject:
		at.Schema = schemaRef("input", string(r.Scope))
	case len(r.Kinds) == 1:
		at.Schema = schemaRef("input", r.Kinds[0])
	default:
		var of []any
		for _, k := range r.Kinds {
			of = append(of, shapes[k])
		}
		var def any = record(shape{"object": shape{"anyOf": of}, "apiVersion": text})
		at.Definition = &def
	}
	params := shape{}
	for _, p := range r.Params {
		params[p.Name] = shape{"type": p.Type}
	}
	var own any = record(params)
	if len(params) == 0 {
		own = record(shape{"\x00": text}) // no parameter has this name
	}
	root := ast.DefaultRootRef
	return []*ast.SchemaAnnotation{
		at,
		{Path: root.Append(ast.StringTerm("mesh")), Schema: schemaRef("mesh")},
		{Path: root.Append(ast.StringTerm(paramsRoot)).Append(ast.StringTerm(string(r.Code))), Definition: &own},
	}
}
