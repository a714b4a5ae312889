package install_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/deploy/api"
	"github.com/meshc/meshc/deploy/chart"
	"github.com/meshc/meshc/deploy/install"
	"github.com/meshc/meshc/test/cluster/apiserver"
)

// plan is the chart's with an image and further values.
func plan(t *testing.T, namespace string, set ...string) *install.Plan {
	t.Helper()
	values := chart.Object{}
	for _, words := range append([]string{"image=registry.example/meshc:test"}, set...) {
		more, err := chart.Set(words, false)
		if err != nil {
			t.Fatal(err)
		}
		values = chart.Merge(values, more)
	}
	p, err := install.NewPlan(namespace, values)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func client(t *testing.T, s *apiserver.Server) *api.Client {
	t.Helper()
	c, err := api.New(s.Config)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// apply installs a plan and gives what changed, by verb.
func apply(t *testing.T, c *api.Client, p *install.Plan) map[install.Verb][]string {
	t.Helper()
	before, err := install.Installed(t.Context(), c, p.Namespace)
	if err != nil {
		t.Fatal(err)
	}
	found, err := install.Refuse(t.Context(), c, p, before)
	if err != nil || len(found) > 0 {
		t.Fatalf("refused: %v %v", err, found)
	}
	changes, err := install.Apply(t.Context(), c, p, before, install.Options{})
	if err != nil {
		t.Fatal(err)
	}
	out := map[install.Verb][]string{}
	for _, change := range changes {
		out[change.What] = append(out[change.What], change.Object.String())
	}
	return out
}

func codes(found diag.List) (out []string) {
	for _, f := range found {
		out = append(out, string(f.Code))
	}
	return out
}

// Installing, again, with other values, and with less: what is there is what was asked for.
func TestInstallIsWhatWasAskedFor(t *testing.T) {
	c := client(t, apiserver.New(t))
	first := apply(t, c, plan(t, "meshc-system"))
	if len(first[install.Created]) != len(plan(t, "meshc-system").All()) {
		t.Errorf("an empty cluster was not filled: %v", first)
	}
	if again := apply(t, c, plan(t, "meshc-system")); len(again[install.Created])+len(again[install.Changed])+len(again[install.Deleted]) > 0 {
		t.Errorf("installing again changed something: %v", again)
	}
	record, err := install.Installed(t.Context(), c, "meshc-system")
	if err != nil {
		t.Fatal(err)
	}
	told, err := install.Differences(t.Context(), c, plan(t, "meshc-system", "replicas=3,podDisruptionBudget.enabled=false"), record)
	if err != nil || len(told) != 2 || told[0].Object.Kind != "Deployment" || !slices.Equal(told[0].Fields, []install.Field{{Path: "spec.replicas", Before: "2", After: "3"}}) ||
		told[1].What != install.Deleted || told[1].Object.Kind != "PodDisruptionBudget" {
		t.Errorf("three replicas and no budget would change %+v (%v)", told, err)
	}
	more := apply(t, c, plan(t, "meshc-system", "replicas=3"))
	if !slices.Equal(more[install.Changed], []string{"Deployment/meshc-system/meshc-controller"}) {
		t.Errorf("three replicas in place of two changed %v", more[install.Changed])
	}
	less := apply(t, c, plan(t, "meshc-system", "networkPolicy.enabled=false,mesh.create=false"))
	if !slices.Equal(less[install.Deleted], []string{"NetworkPolicy/meshc-system/meshc-controller"}) {
		t.Errorf("without its network policy was deleted: %v; the Mesh is policy and stays", less[install.Deleted])
	}
}

// What a user wrote into the Mesh stays when the control plane is changed.
func TestAnUpgradeLeavesTheMeshAsItWasEdited(t *testing.T) {
	c := client(t, apiserver.New(t))
	apply(t, c, plan(t, "meshc-system", "mesh.spec.egress=allow"))
	mesh := api.Ref{APIVersion: "meshc.dev/v1alpha1", Kind: "Mesh", Name: "mesh"}
	if _, err := c.Merge(t.Context(), mesh, api.Object{"spec": api.Object{"mode": "permissive"}}); err != nil {
		t.Fatal(err)
	}
	apply(t, c, plan(t, "meshc-system", "mesh.spec.egress=deny"))
	got, err := c.Get(t.Context(), mesh)
	if err != nil {
		t.Fatal(err)
	}
	if api.Text(got, "spec", "mode") != "permissive" || api.Text(got, "spec", "egress") != "deny" {
		t.Errorf("the mesh is %v", got["spec"])
	}
}

func TestASecondControlPlaneIsRefused(t *testing.T) {
	c := client(t, apiserver.New(t))
	apply(t, c, plan(t, "meshc-system"))
	for name, p := range map[string]*install.Plan{
		"in another namespace": plan(t, "mesh-b"), "under another name": plan(t, "meshc-system", "mesh.name=b"),
	} {
		before, err := install.Installed(t.Context(), c, p.Namespace)
		if err != nil {
			t.Fatal(err)
		}
		found, err := install.Refuse(t.Context(), c, p, before)
		if err != nil || !slices.Equal(codes(found), []string{"MSH4101"}) {
			t.Errorf("a mesh %s: %v %v", name, err, found)
		}
	}
}

// Open Service Mesh that works elsewhere is no hindrance; on a namespace of ours it is.
func TestAnotherMeshOnTheSameNamespacesIsRefused(t *testing.T) {
	c := client(t, apiserver.New(t))
	labels := api.Object{"app": "osm-controller", "meshName": "osm"}
	put(t, c, namespace("osm-system", nil), namespace("shop", api.Object{"meshc.dev/mesh": "mesh"}), api.Object{
		"apiVersion": "apps/v1", "kind": "Deployment", "metadata": api.Object{"name": "osm-controller", "namespace": "osm-system", "labels": labels},
		"spec": api.Object{"selector": api.Object{"matchLabels": labels}, "template": api.Object{"metadata": api.Object{"labels": labels},
			"spec": api.Object{"containers": []any{api.Object{"name": "c", "image": "osm"}}}}},
	})
	p := plan(t, "meshc-system")
	if found, err := install.Refuse(t.Context(), c, p, nil); err != nil || len(found) > 0 {
		t.Errorf("Open Service Mesh on other namespaces: %v %v", err, found)
	}
	put(t, c, namespace("shop", api.Object{"meshc.dev/mesh": "mesh", "openservicemesh.io/monitored-by": "osm"}))
	found, err := install.Refuse(t.Context(), c, p, nil)
	if err != nil || !slices.Equal(codes(found), []string{"MSH4102"}) || !strings.Contains(found[0].Message, "shop") {
		t.Errorf("Open Service Mesh on a namespace of ours: %v %v", err, found)
	}
}

// Nobody runs pods here: what is missing is told, not only that something is.
func TestWaitTellsWhatIsMissing(t *testing.T) {
	c := client(t, apiserver.New(t))
	apply(t, c, plan(t, "meshc-system"))
	found, err := install.Wait(t.Context(), c, "meshc-system", 300*time.Millisecond)
	if err != nil || !slices.Equal(codes(found), []string{"MSH4111", "MSH4108", "MSH4108"}) {
		t.Errorf("%v %v", err, found)
	}
}

func namespace(name string, labels api.Object) api.Object {
	return api.Object{"apiVersion": "v1", "kind": "Namespace", "metadata": api.Object{"name": name, "labels": labels}}
}

func put(t *testing.T, c *api.Client, objects ...api.Object) {
	t.Helper()
	for _, o := range objects {
		if _, err := c.Apply(t.Context(), o, false); err != nil {
			t.Fatal(err)
		}
	}
}
