package install

import (
	"context"

	"github.com/meshc/meshc/deploy/api"
	"github.com/meshc/meshc/deploy/chart"
)

// Leftovers is a record of what an uninstall left: the namespace that meshc made,
// definitions and Meshes by their labels. It is nil where nothing is.
func Leftovers(ctx context.Context, c *api.Client, namespace string) (*Record, error) {
	r := &Record{Values: chart.Object{}}
	home, err := c.Get(ctx, api.Ref{APIVersion: "v1", Kind: "Namespace", Name: namespace})
	if err != nil && !api.Gone(err) {
		return nil, err
	}
	if api.Text(home, "metadata", "labels", managedBy) == manager {
		r.Objects = append(r.Objects, Item{Ref: api.RefOf(home)})
	}
	for _, kind := range []api.Ref{
		{APIVersion: "apiextensions.k8s.io/v1", Kind: "CustomResourceDefinition"}, {APIVersion: "meshc.dev/v1alpha1", Kind: "Mesh"},
	} {
		all, err := c.List(ctx, kind, partOf+"=meshc")
		if err != nil {
			return nil, err
		}
		for _, o := range all {
			r.Objects = append(r.Objects, Item{Ref: api.RefOf(o), Kept: true})
			if kind.Kind == "Mesh" {
				r.Mesh = api.Text(o, "metadata", "name")
			}
		}
	}
	if len(r.Objects) == 0 {
		return nil, nil
	}
	return r, nil
}
