// Package crds is the custom resource definitions of the mesh, made from one table
// of kinds, versions and schemas: SMI in every version, and meshc.dev. The YAML
// files beside it are what it prints. Schemas say what a field's type is; what it
// means is judged by the compiler, which says more. Where a version has less than
// another, package admission/convert refuses; None is no strategy for these kinds.
package crds

import (
	"bytes"
	"embed"
	"fmt"
	"slices"

	"sigs.k8s.io/yaml"
)

// Conversion is where the API server finds who converts; Install fills in the rest.
const (
	ConversionPath     = "/convert"
	ControllerService  = "meshc-controller"
	ControllerNS       = "meshc-system"
	ConversionRequests = "v1"
)

//go:embed *.yaml
var files embed.FS

// object is a piece of a manifest.
type object = map[string]any

// kind is one custom resource definition.
type kind struct {
	group, name, plural string
	short               []string
	versions            []version
	cluster             bool
	columns             []any
	status              object // further fields of it
}

// version is one served version; the last of a kind is stored.
type version struct {
	name   string
	schema object
}

// File is a definition as it is applied.
type File struct {
	Name string // GROUP_PLURAL.yaml
	Text []byte
}

// Files are all definitions, in order of name.
func Files() ([]File, error) {
	entries, err := files.ReadDir(".")
	if err != nil {
		return nil, err
	}
	var out []File
	for _, e := range entries {
		text, err := files.ReadFile(e.Name())
		if err != nil {
			return nil, err
		}
		out = append(out, File{e.Name(), text})
	}
	return out, nil
}

// Converted are the names of the definitions whose objects the webhook converts.
func Converted() []string {
	var out []string
	for _, k := range kinds {
		if len(k.versions) > 1 {
			out = append(out, k.plural+"."+k.group)
		}
	}
	return out
}

// Generate prints the definitions from the table.
func Generate() ([]File, error) {
	var out []File
	for _, k := range kinds {
		body, err := yaml.Marshal(k.definition())
		if err != nil {
			return nil, fmt.Errorf("crds: %w", err)
		}
		text := append([]byte("# Generated from deploy/crds by `make golden`.\n"), bytes.TrimSpace(body)...)
		out = append(out, File{k.group + "_" + k.plural + ".yaml", append(text, '\n')})
	}
	slices.SortFunc(out, func(a, b File) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) })
	return out, nil
}

func (k kind) definition() object {
	scope := "Namespaced"
	if k.cluster {
		scope = "Cluster"
	}
	names := object{"kind": k.name, "listKind": k.name + "List", "plural": k.plural, "singular": lower(k.name), "categories": []any{"meshc"}}
	if k.short != nil {
		names["shortNames"] = k.short
	}
	spec := object{"group": k.group, "names": names, "scope": scope, "versions": k.served()}
	if len(k.versions) > 1 {
		spec["conversion"] = object{"strategy": "Webhook", "webhook": object{
			"conversionReviewVersions": []any{ConversionRequests},
			"clientConfig":             object{"service": object{"name": ControllerService, "namespace": ControllerNS, "path": ConversionPath}},
		}}
	}
	return object{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": object{"name": k.plural + "." + k.group, "labels": object{"app.kubernetes.io/part-of": "meshc"}},
		"spec":     spec,
	}
}

func (k kind) served() []any {
	var out []any
	for n, v := range k.versions {
		schema := object{"type": "object", "properties": object{
			"apiVersion": object{"type": "string"}, "kind": object{"type": "string"}, "metadata": object{"type": "object"},
			"status": rec(plus(status["properties"].(object), k.status)),
		}}
		for field, s := range v.schema["properties"].(object) {
			schema["properties"].(object)[field] = s
		}
		if r, ok := v.schema["required"]; ok {
			schema["required"] = r
		}
		entry := object{"name": v.name, "served": true, "storage": n == len(k.versions)-1, "schema": object{"openAPIV3Schema": schema},
			"subresources": object{"status": object{}}}
		if k.columns != nil {
			entry["additionalPrinterColumns"] = k.columns
		}
		out = append(out, entry)
	}
	return out
}

func lower(s string) string { return string(bytes.ToLower([]byte(s))) }
