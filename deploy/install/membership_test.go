package install_test

import (
	"slices"
	"testing"

	"github.com/meshc/meshc/deploy/api"
	"github.com/meshc/meshc/deploy/install"
	"github.com/meshc/meshc/test/cluster/apiserver"
)

// A namespace joins and leaves in its own words and in those of Open Service Mesh; who
// is to be made anew is told, and who cannot join is refused.
func TestNamespacesJoinAndLeave(t *testing.T) {
	c := client(t, apiserver.New(t))
	ctx := t.Context()
	pod := func(ns, name string, labels api.Object) api.Object {
		return api.Object{"apiVersion": "v1", "kind": "Pod", "metadata": api.Object{"name": name, "namespace": ns, "labels": labels},
			"spec": api.Object{"containers": []any{api.Object{"name": "c", "image": "c"}}}}
	}
	put(t, c, namespace("shop", nil), namespace("osm", api.Object{"openservicemesh.io/monitored-by": "osm"}), namespace("tight", api.Object{"pod-security.kubernetes.io/enforce": "baseline"}),
		namespace("meshc-system", nil), pod("shop", "web", nil), pod("shop", "out", api.Object{"meshc.dev/inject": "disabled"}))
	member := func() install.Member {
		all, err := install.Members(ctx, c, "mesh")
		if err != nil {
			t.Fatal(err)
		}
		return all[slices.IndexFunc(all, func(m install.Member) bool { return m.Name == "shop" })]
	}
	web := []api.Ref{{APIVersion: "v1", Kind: "Pod", Namespace: "shop", Name: "web"}}
	for _, osm := range []bool{false, true} {
		join := install.Join{Mesh: "mesh", Osm: osm, Home: "meshc-system"}
		if err := join.Add(ctx, c, "shop"); err != nil {
			t.Fatal(err)
		}
		if m := member(); !m.In("mesh") || m.Osm != osm || !slices.Equal(m.Restart, web) || m.Pods != 2 || m.Proxies != 0 {
			t.Errorf("joined (osm %v): %+v", osm, m)
		}
		if err := install.Leave(ctx, c, "shop", false); err != nil {
			t.Fatal(err)
		}
		if m := member(); m.In("mesh") || m.Mesh != "" || len(m.Restart) > 0 {
			t.Errorf("left (osm %v): %+v", osm, m)
		}
		join.NoInjection = true
		if err := join.Add(ctx, c, "shop"); err != nil {
			t.Fatal(err)
		}
		if m := member(); m.In("mesh") || m.Mesh != "mesh" || len(m.Restart) > 0 {
			t.Errorf("joined without injection (osm %v): %+v", osm, m)
		}
		if err := install.Leave(ctx, c, "shop", true); err != nil {
			t.Fatal(err)
		}
		if m := member(); !m.Ignored {
			t.Errorf("ignored: %+v", m)
		}
	}
	join := install.Join{Mesh: "mesh", Home: "meshc-system"}
	found, err := join.Refusals(ctx, c, []string{"shop", "osm", "kube-system", "meshc-system", "nowhere", "tight"})
	if got := codes(found); err != nil || !slices.Equal(got, []string{"MSH4114", "MSH4114", "MSH4114", "MSH4114", "MSH4038"}) {
		t.Errorf("%v %v", err, found)
	}
	put(t, c, namespace("taken", nil), configMap("taken", install.Trust))
	if found, err = join.Refusals(ctx, c, []string{"taken"}); err != nil || !slices.Equal(codes(found), []string{"MSH4114"}) {
		t.Errorf("where somebody else has a ConfigMap of our name: %v %v", err, found)
	}
	put(t, c, pod("shop", "meshed", api.Object{"meshc.dev/injected": "true"}))
	for _, on := range []bool{true, true, false} {
		if _, err := install.Scrape(ctx, c, "shop", on); err != nil {
			t.Fatal(err)
		}
		p, err := c.Get(ctx, api.Ref{APIVersion: "v1", Kind: "Pod", Namespace: "shop", Name: "meshed"})
		if err != nil || (api.Text(p, "metadata", "annotations", "prometheus.io/port") == "15010") != on {
			t.Errorf("scraped %v: %v %v", on, p["metadata"], err)
		}
	}
}
