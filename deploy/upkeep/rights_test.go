package upkeep_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/meshc/meshc/deploy/chart"
	"github.com/meshc/meshc/deploy/upkeep"
)

// The rights that the chart gives are enough for all that is kept, and no Secret but
// ours can be read with them.
func TestTheChartsRightsAreEnough(t *testing.T) {
	c := begin(t)
	values, err := chart.Defaults()
	if err != nil {
		t.Fatal(err)
	}
	values = chart.Merge(values, chart.Object{"image": "registry.example/meshc:dev"})
	manifests, err := chart.Render(values, chart.Release{Name: "meshc", Namespace: own, Service: "Helm"})
	if err != nil {
		t.Fatal(err)
	}
	given := 0
	for _, m := range manifests {
		kind, _ := m.Object["kind"].(string)
		path := map[string]string{"ClusterRole": "clusterroles", "ClusterRoleBinding": "clusterrolebindings",
			"Role": "namespaces/" + own + "/roles", "RoleBinding": "namespaces/" + own + "/rolebindings"}[kind]
		if path != "" {
			c.Do(http.MethodPost, "/apis/rbac.authorization.k8s.io/v1/"+path, m.Object)
			given++
		}
	}
	if given < 4 {
		t.Fatalf("the chart has only %d objects of rights", given)
	}
	c.as = "system:serviceaccount:" + own + ":meshc-controller"
	l := listen(t)
	c.configure("https://" + l.Addr().String())
	c.namespace("shop", object{"meshc.dev/mesh": "mesh"})
	r := c.replica(true, t.TempDir())
	authority := c.authority(r)
	h := c.hooks(r, l, upkeep.WebhookOptions{Hosts: []string{"127.0.0.1"}}, authority.Roots)
	c.until("all is kept", func() error {
		if c.data(trustPath("shop")) == nil {
			return errors.New("there is no trust bundle")
		}
		return errors.Join(h.Trusted(), c.asked(0))
	})
	c.patch("/api/v1/namespaces/shop", object{"metadata": object{"labels": object{"meshc.dev/mesh": nil}}})
	c.until("and taken away", func() error {
		if c.data(trustPath("shop")) != nil {
			return errors.New("the trust bundle is there")
		}
		return nil
	})
	c.Do(http.MethodDelete, hooksPath, nil)
	c.Do(http.MethodDelete, caPath, nil)
	c.until("and made again", func() error {
		if c.data(caPath) == nil || c.data(hooksPath) == nil {
			return errors.New("a Secret is gone")
		}
		return h.Trusted()
	})
	if wrong := r.Wrong(); slices.ContainsFunc(wrong, func(w upkeep.Wrong) bool { return strings.Contains(w.Reason, "forbidden") }) {
		t.Errorf("not allowed: %v", wrong)
	}
	c.Do(http.MethodPost, "/api/v1/namespaces/"+own+"/secrets", object{"apiVersion": "v1", "kind": "Secret", "metadata": object{"name": "others"}})
	for _, path := range []string{"/api/v1/secrets", "/api/v1/namespaces/" + own + "/secrets", "/api/v1/namespaces/" + own + "/secrets/others", "/api/v1/configmaps"} {
		review := object{"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": object{"user": c.as, "resourceAttributes": access(path)}}
		if answer := string(c.Do(http.MethodPost, "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)); strings.Contains(answer, `"allowed":true`) {
			t.Errorf("it may read %s", path)
		}
	}
}

// access is what a path asks for.
func access(path string) object {
	words := strings.Split(strings.TrimPrefix(path, "/api/v1/"), "/")
	out := object{"verb": "list", "version": "v1"}
	if words[0] == "namespaces" {
		out["namespace"], words = words[1], words[2:]
	}
	out["resource"] = words[0]
	if len(words) > 1 {
		out["name"], out["verb"] = words[1], "get"
	}
	return out
}
