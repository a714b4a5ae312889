// Package install puts the control plane into a cluster and takes it out again: the
// chart's objects by server-side apply, in an order in which each finds what it needs,
// with an inventory of what was made, so that an upgrade deletes what it no longer
// has and an uninstall leaves nothing but what it says. What the objects are, the
// chart knows; how the API server is asked, package api.
package install

import (
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/meshc/meshc/deploy/api"
	"github.com/meshc/meshc/deploy/chart"
)

// The names that every installation has.
const (
	Namespace  = "meshc-system" // unless said otherwise
	Controller = "meshc-controller"
	Validating = "meshc-validate"
	Mutating   = "meshc-inject"
	Inventory  = "meshc-inventory" // a ConfigMap
	Authority  = "meshc-ca"        // a Secret
	Serving    = "meshc-webhooks"  // a Secret
	Trust      = "meshc-trust"     // a ConfigMap in each namespace of the mesh

	manager   = "meshc"
	partOf    = "app.kubernetes.io/part-of"
	managedBy = "app.kubernetes.io/managed-by"
	ours      = partOf + "=meshc"
)

// Plan is what is to be in a cluster.
type Plan struct {
	Namespace string
	Mesh      string       // its name
	Version   string       // of the chart
	Said      chart.Object // the values that are not the chart's own
	// Definitions and Objects are in the order in which they are applied.
	Home        api.Object // the namespace
	Definitions []api.Object
	Objects     []api.Object

	printed []chart.Manifest
}

// NewPlan renders the chart with the values that were said, over its own. An error is a
// value that the chart refuses.
func NewPlan(namespace string, said chart.Object) (*Plan, error) {
	values, err := chart.Defaults()
	if err != nil {
		return nil, err
	}
	values = chart.Merge(values, said)
	release := chart.Release{Name: "meshc", Namespace: namespace, Service: manager}
	objects, err := chart.Render(values, release)
	if err != nil {
		return nil, err
	}
	definitions, err := chart.Definitions()
	if err != nil {
		return nil, err
	}
	p := &Plan{Namespace: namespace, Mesh: api.Text(values, "mesh", "name"), Said: said, Home: home(namespace)}
	if p.Version, err = chart.Version(); err != nil {
		return nil, err
	}
	for _, m := range definitions {
		convertAt(m.Object, namespace)
		p.Definitions = append(p.Definitions, m.Object)
		p.printed = append(p.printed, m)
	}
	for _, m := range objects {
		p.Objects = append(p.Objects, m.Object)
		p.printed = append(p.printed, m)
	}
	return p, nil
}

// home is the control plane's namespace. No webhook of ours asks about it.
func home(name string) api.Object {
	return api.Object{"apiVersion": "v1", "kind": "Namespace", "metadata": api.Object{"name": name, "labels": api.Object{
		partOf: "meshc", managedBy: manager,
		"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/warn": "restricted",
	}}}
}

// convertAt tells a definition where its converter is.
func convertAt(definition api.Object, namespace string) {
	if service, ok := api.At(definition, "spec", "conversion", "webhook", "clientConfig", "service").(api.Object); ok {
		service["namespace"] = namespace
	}
}

// All is every object, in the order in which they are applied.
func (p *Plan) All() []api.Object {
	return slices.Concat([]api.Object{p.Home}, p.Definitions, p.Objects)
}

// Print writes the plan as `kubectl apply -f -` takes it.
func (p *Plan) Print() (string, error) {
	text, err := yaml.Marshal(p.Home)
	if err != nil {
		return "", err
	}
	out := []chart.Manifest{{Source: "namespace", Text: strings.TrimSpace(string(text))}}
	for _, m := range p.printed {
		if strings.HasPrefix(m.Source, "crds/") && p.Namespace != Namespace {
			text, err := yaml.Marshal(m.Object) // it names another namespace than its file
			if err != nil {
				return "", err
			}
			m.Text = strings.TrimSpace(string(text))
		}
		out = append(out, m)
	}
	return chart.Print(out), nil
}

// kept tells whether an object is policy: it stays when the control plane goes.
func kept(o api.Object) bool {
	return api.Text(o, "kind") == "CustomResourceDefinition" || api.Text(o, "metadata", "annotations", "helm.sh/resource-policy") == "keep"
}

// Change is what became of an object.
type Change struct {
	What   Verb
	Object api.Ref
	Why    string // of one that was left
}

// Verb is what was done to an object.
type Verb string

// What can be done to an object.
const (
	Created   Verb = "created"
	Changed   Verb = "changed"
	Unchanged Verb = "unchanged"
	Deleted   Verb = "deleted"
	Left      Verb = "left"
)

// String is a line for people.
func (c Change) String() string {
	line := fmt.Sprintf("%-9s %s", c.What, c.Object)
	if c.Why != "" {
		line += ": " + c.Why
	}
	return line
}
