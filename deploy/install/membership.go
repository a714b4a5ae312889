package install

import (
	"context"
	"fmt"
	"slices"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/deploy/api"
)

// The words by which a namespace says whose it is; those of Open Service Mesh are
// understood as ours are.
const (
	labelMesh   = "meshc.dev/mesh"
	labelInject = "meshc.dev/inject"
	osmMesh     = "openservicemesh.io/monitored-by"
	osmIgnore   = "openservicemesh.io/ignore"
	osmInject   = "openservicemesh.io/sidecar-injection" // annotation
)

// Labels are ours on a namespace.
var Labels = []string{labelMesh, labelInject}

// Member is a namespace and how it stands to the mesh.
type Member struct {
	Name      string
	Mesh      string // whose it is; empty: nobody's
	Osm       bool   // it says so as in Open Service Mesh
	Ignored   bool
	Injection string // enabled, disabled, or empty: as the mesh has it
	Pods      int    // that run
	Proxies   int    // of them have one of ours
	// Restart are the workloads whose pods are not as a pod made now would be.
	Restart []api.Ref

	enforce string // its Pod Security level
}

// In tells whether the namespace's pods get a proxy when they are made.
func (m Member) In(mesh string) bool {
	if m.Ignored || m.Mesh == "" || m.Mesh != mesh || m.Injection == "disabled" {
		return false
	}
	return !m.Osm || m.Injection == "enabled"
}

// Members are all namespaces, and how many of their pods are meshed.
func Members(ctx context.Context, c *api.Client, mesh string) ([]Member, error) {
	spaces, err := c.List(ctx, api.Ref{APIVersion: "v1", Kind: "Namespace"}, "")
	if err != nil {
		return nil, err
	}
	out := make([]Member, 0, len(spaces))
	for _, o := range spaces {
		out = append(out, memberOf(o))
	}
	pods, err := c.List(ctx, api.Ref{APIVersion: "v1", Kind: "Pod"}, "")
	if err != nil {
		return nil, err
	}
	for _, p := range pods {
		i := slices.IndexFunc(out, func(m Member) bool { return m.Name == api.Text(p, "metadata", "namespace") })
		if phase := api.Text(p, "status", "phase"); i < 0 || phase == "Succeeded" || phase == "Failed" {
			continue
		}
		out[i].count(p, mesh)
	}
	return out, nil
}

func memberOf(o api.Object) Member {
	label := func(name string) string { return api.Text(o, "metadata", "labels", name) }
	m := Member{Name: api.Text(o, "metadata", "name"), Mesh: label(labelMesh), Ignored: label(osmIgnore) == "true", Injection: label(labelInject),
		enforce: label("pod-security.kubernetes.io/enforce")}
	if m.Mesh == "" {
		m.Mesh, m.Osm = label(osmMesh), label(osmMesh) != ""
	}
	if m.Injection == "" {
		m.Injection = api.Text(o, "metadata", "annotations", labelInject)
	}
	if m.Injection == "" {
		switch api.Text(o, "metadata", "annotations", osmInject) {
		case "enabled", "yes", "true":
			m.Injection = "enabled"
		case "disabled", "no", "false":
			m.Injection = "disabled"
		}
	}
	return m
}

// count takes a pod into account.
func (m *Member) count(p api.Object, mesh string) {
	m.Pods++
	has := api.Text(p, "metadata", "labels", "meshc.dev/injected") == "true"
	if has {
		m.Proxies++
	}
	want := m.In(mesh)
	for _, where := range []string{"annotations", "labels"} {
		switch api.Text(p, "metadata", where, labelInject) {
		case "enabled":
			want = m.Mesh == mesh && !m.Ignored
		case "disabled":
			want = false
		}
	}
	if host, _ := api.At(p, "spec", "hostNetwork").(bool); host {
		want = false
	}
	if want == has {
		return
	}
	owner := api.RefOf(p)
	for _, o := range api.List(p, "metadata", "ownerReferences") {
		if api.At(o, "controller") == true {
			owner = api.Ref{APIVersion: api.Text(o, "apiVersion"), Kind: api.Text(o, "kind"), Namespace: m.Name, Name: api.Text(o, "name")}
		}
	}
	if hash := api.Text(p, "metadata", "labels", "pod-template-hash"); owner.Kind == "ReplicaSet" && hash != "" && len(owner.Name) > len(hash) {
		owner.Kind, owner.Name = "Deployment", owner.Name[:len(owner.Name)-len(hash)-1]
	}
	if !slices.Contains(m.Restart, owner) {
		m.Restart = append(m.Restart, owner)
	}
}

// Secured finds that the namespace's Pod Security refuses pods with a proxy.
func (m Member) Secured() diag.List {
	if m.enforce != "baseline" && m.enforce != "restricted" {
		return nil
	}
	return diag.List{About("MSH4038", api.Ref{APIVersion: "v1", Kind: "Namespace", Name: m.Name}, "namespace %s enforces %s pods", m.Name, m.enforce).
		WithEffect("its pods with a proxy cannot be made").
		WithHelp("kubectl label --overwrite namespace %s pod-security.kubernetes.io/enforce=privileged pod-security.kubernetes.io/warn=%s", m.Name, m.enforce)}
}

// Occupied finds that somebody else has a ConfigMap in a namespace where its proxies'
// trust bundle is to lie.
func Occupied(ctx context.Context, c *api.Client, namespace string) (diag.List, error) {
	ref := api.Ref{APIVersion: "v1", Kind: "ConfigMap", Namespace: namespace, Name: Trust}
	o, err := c.Get(ctx, ref)
	if api.Gone(err) {
		return nil, nil
	}
	if err != nil || api.Text(o, "metadata", "labels", partOf) == "meshc" || api.Text(o, "metadata", "labels", managedBy) == "meshc" {
		return nil, err
	}
	return diag.List{About("MSH4114", api.Ref{APIVersion: "v1", Kind: "Namespace", Name: namespace}, "namespace %s has a ConfigMap %s that is not meshc's", namespace, Trust).
		WithEffect("what its proxies trust by has no place, and no pod with a proxy can be made; the ConfigMap is left as it is").
		WithHelp("rename it, or delete it: kubectl -n %s delete configmap %s", namespace, Trust)}, nil
}

// Join is how namespaces are added.
type Join struct {
	Mesh        string
	Osm         bool // by the labels of Open Service Mesh
	NoInjection bool // its pods get no proxy unless they ask for one
	Home        string
}

// Refusals finds why namespaces cannot join, and what will keep their pods out.
func (j Join) Refusals(ctx context.Context, c *api.Client, names []string) (found diag.List, err error) {
	for _, name := range names {
		ref := api.Ref{APIVersion: "v1", Kind: "Namespace", Name: name}
		o, err := c.Get(ctx, ref)
		if api.Gone(err) {
			found.Add(About("MSH4114", ref, "there is no namespace %q", name).WithHelp("kubectl create namespace %s", name))
			continue
		}
		if err != nil {
			return nil, err
		}
		m := memberOf(o)
		switch {
		case name == j.Home || name == "kube-system":
			found.Add(About("MSH4114", ref, "namespace %s is never of the mesh", name).
				WithEffect("what the mesh needs to start and to be mended must not depend on it"))
		case m.Mesh != "" && m.Mesh != j.Mesh:
			found.Add(About("MSH4114", ref, "namespace %s belongs to mesh %q", name, m.Mesh).
				WithHelp("take it out of that one first"))
		case !j.NoInjection:
			found.Add(m.Secured()...)
		}
		others, err := Occupied(ctx, c, name)
		if err != nil {
			return nil, err
		}
		found.Add(others...)
	}
	return found, nil
}

// Add writes the labels by which a namespace joins.
func (j Join) Add(ctx context.Context, c *api.Client, name string) error {
	labels, annotations := api.Object{osmIgnore: nil}, api.Object{}
	if j.Osm {
		labels[osmMesh] = j.Mesh
		if annotations[osmInject] = "enabled"; j.NoInjection {
			annotations[osmInject] = "disabled"
		}
	} else {
		labels[labelMesh] = j.Mesh
		if labels[labelInject] = nil; j.NoInjection {
			labels[labelInject] = "disabled"
		}
	}
	return label(ctx, c, name, labels, annotations)
}

// Leave takes a namespace's labels of the mesh off, in whichever form; ignored also
// says that nothing in it is ever to be of a mesh.
func Leave(ctx context.Context, c *api.Client, name string, ignored bool) error {
	labels := api.Object{labelMesh: nil, labelInject: nil, osmMesh: nil}
	if ignored {
		labels[osmIgnore] = "true"
	}
	return label(ctx, c, name, labels, api.Object{osmInject: nil, labelInject: nil})
}

func label(ctx context.Context, c *api.Client, name string, labels, annotations api.Object) error {
	ref := api.Ref{APIVersion: "v1", Kind: "Namespace", Name: name}
	meta := api.Object{}
	if len(labels) > 0 {
		meta["labels"] = labels
	}
	if len(annotations) > 0 {
		meta["annotations"] = annotations
	}
	if _, err := c.Merge(ctx, ref, api.Object{"metadata": meta}); err != nil {
		return fmt.Errorf("%s: %w", ref, err)
	}
	return nil
}
