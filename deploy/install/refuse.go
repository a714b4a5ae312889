package install

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/deploy/api"
)

// Refuse finds what speaks against a plan in a cluster: another control plane of
// meshc, and other meshes that work on the same namespaces. Before is the record of
// what is installed in the plan's namespace.
func Refuse(ctx context.Context, c *api.Client, p *Plan, before *Record) (found diag.List, err error) {
	for _, ref := range configurations {
		o, err := c.Get(ctx, ref)
		if api.Gone(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		f, refused := second(p, ref, o)
		if refused {
			return diag.List{f}, nil
		}
	}
	if before != nil && before.Mesh != p.Mesh {
		found.Add(About("MSH4101", inventoryRef(p.Namespace), "mesh %q is installed in namespace %s, and its name cannot become %q", before.Mesh, p.Namespace, p.Mesh).
			WithEffect("namespaces say the mesh's name in a label: under another name all would leave it").
			WithHelp("leave mesh.name as it is, or uninstall the mesh first"))
	}
	shared, err := Shared(ctx, c, p.Mesh)
	return append(found, shared...), err
}

// Shared finds other meshes that work on namespaces of this one.
func Shared(ctx context.Context, c *api.Client, mesh string) (found diag.List, err error) {
	others, err := Others(ctx, c)
	if err != nil {
		return nil, err
	}
	shared, err := sharedNamespaces(ctx, c, mesh)
	if err != nil {
		return nil, err
	}
	for _, o := range others {
		if o.Runs && len(o.claims(shared)) > 0 {
			found.Add(About("MSH4102", o.Object, "%s controls %s", o.Name, strings.Join(o.claims(shared), ", ")).
				WithEffect("two meshes would put two proxies into each of their pods, or judge the same policy twice").
				WithHelp("take these namespaces out of the other mesh first, or out of this one: meshc namespace remove NAME"))
		}
	}
	return found, nil
}

// second tells whether somebody else's control plane has the webhooks.
func second(p *Plan, ref api.Ref, o api.Object) (diag.Finding, bool) {
	by := api.Text(o, "metadata", "labels", managedBy)
	if by != manager && by != "" {
		return About("MSH4101", ref, "the control plane was installed by %s", by).
			WithEffect("two tools would undo each other's changes").
			WithHelp("change it with %s, or take it out with that and install it anew", by), true
	}
	for _, w := range api.List(o, "webhooks") {
		if ns := api.Text(w, "clientConfig", "service", "namespace"); ns != "" && ns != p.Namespace {
			return About("MSH4101", ref, "a control plane of meshc is installed in namespace %s", ns).
				WithEffect("a cluster has one: both would judge the same policy and inject the same pods").
				WithHelp("upgrade that one with --namespace %s, or uninstall it first", ns), true
		}
	}
	return diag.Finding{}, false
}

// Other is another mesh in the cluster, or what is left of one.
type Other struct {
	Name   string
	Object api.Ref // by which it was found
	Mesh   string  // what its namespaces say in openservicemesh.io/monitored-by
	Runs   bool
	// everywhere: it works on every namespace that it was not told to leave.
	everywhere bool
}

// claims are those of our namespaces that the other works on.
func (o Other) claims(shared []member) []string {
	var out []string
	for _, m := range shared {
		if o.everywhere || m.osm == o.Mesh && o.Mesh != "" {
			out = append(out, "namespace "+m.name)
		}
	}
	return out
}

// member is a namespace of our mesh.
type member struct{ name, osm string }

// sharedNamespaces are the namespaces that this mesh works on.
func sharedNamespaces(ctx context.Context, c *api.Client, mesh string) (out []member, err error) {
	all, err := c.List(ctx, api.Ref{APIVersion: "v1", Kind: "Namespace"}, "")
	for _, o := range all {
		own, osm := api.Text(o, "metadata", "labels", "meshc.dev/mesh"), api.Text(o, "metadata", "labels", "openservicemesh.io/monitored-by")
		if own == mesh || own == "" && osm == mesh && mesh != "" {
			out = append(out, member{api.Text(o, "metadata", "name"), osm})
		}
	}
	return out, err
}

// Others finds Open Service Mesh and Traefik Mesh: their control planes, and what
// they leave behind.
func Others(ctx context.Context, c *api.Client) ([]Other, error) {
	var out []Other
	deployments, err := c.List(ctx, api.Ref{APIVersion: "apps/v1", Kind: "Deployment"}, "")
	if err != nil {
		return nil, err
	}
	for _, d := range deployments {
		labels, _ := api.At(d, "metadata", "labels").(api.Object)
		name, app := api.Text(d, "metadata", "name"), fmt.Sprint(labels["app"])
		switch {
		case name == "osm-controller" || app == "osm-controller":
			mesh, _ := labels["meshName"].(string)
			out = append(out, Other{Name: "Open Service Mesh", Object: api.RefOf(d), Mesh: mesh, Runs: true})
		case strings.HasPrefix(name, "traefik-mesh-controller") || strings.HasPrefix(name, "maesh-controller"):
			out = append(out, Other{Name: "Traefik Mesh", Object: api.RefOf(d), Runs: true, everywhere: true})
		}
	}
	for _, kind := range []string{"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"} {
		hooks, err := c.List(ctx, api.Ref{APIVersion: "admissionregistration.k8s.io/v1", Kind: kind}, "")
		if err != nil {
			return nil, err
		}
		for _, h := range hooks {
			if name := api.Text(h, "metadata", "name"); strings.HasPrefix(name, "osm-") || strings.HasPrefix(name, "aks-osm-") {
				out = append(out, Other{Name: "Open Service Mesh", Object: api.RefOf(h)})
			}
		}
	}
	definitions, err := c.List(ctx, api.Ref{APIVersion: "apiextensions.k8s.io/v1", Kind: "CustomResourceDefinition"}, "")
	if err != nil {
		return nil, err
	}
	for _, d := range definitions {
		if g := api.Text(d, "spec", "group"); slices.Contains([]string{"config.openservicemesh.io", "policy.openservicemesh.io"}, g) {
			out = append(out, Other{Name: "Open Service Mesh", Object: api.RefOf(d)})
		}
	}
	return out, nil
}
