package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/meshc/meshc/test/cluster/apiserver"
)

type manifestOf = map[string]any

// townOnCluster puts what policyManifests speak of onto an API server, and gives a
// kubeconfig for it.
func townOnCluster(t *testing.T, s *apiserver.Server) (kubeconfig string) {
	t.Helper()
	meta := func(name string) manifestOf { return manifestOf{"name": name, "namespace": "shop"} }
	s.Do(http.MethodPost, "/api/v1/namespaces", manifestOf{"metadata": manifestOf{"name": "shop", "labels": manifestOf{"meshc.dev/mesh": "town"}}})
	for _, account := range []string{"front", "web", "nobody"} {
		s.Do(http.MethodPost, "/api/v1/namespaces/shop/serviceaccounts", manifestOf{"metadata": meta(account)})
	}
	s.Do(http.MethodPost, "/api/v1/namespaces/shop/services", manifestOf{"metadata": meta("web"), "spec": manifestOf{
		"selector": manifestOf{"app": "web"}, "ports": []any{manifestOf{"name": "http", "port": 80, "targetPort": 8080}},
	}})
	podOnCluster(s, "web-1", "web", "10.244.0.5")
	kubeconfig = filepath.Join(t.TempDir(), "config")
	text := fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: x, clusters: [{name: c, cluster: {server: %q, certificate-authority: %q}}],
users: [{name: u, user: {token: %q}}], contexts: [{name: x, context: {cluster: c, user: u}}]}`, s.Config.Host, s.Config.CAFile, s.Config.BearerToken)
	if err := os.WriteFile(kubeconfig, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return kubeconfig
}

// podOnCluster runs a pod with a sidecar behind the service web.
func podOnCluster(s *apiserver.Server, name, account, ip string) {
	pod := manifestOf{
		"metadata": manifestOf{"name": name, "namespace": "shop", "labels": manifestOf{"app": "web", "meshc.dev/injected": "true"}},
		"spec":     manifestOf{"serviceAccountName": account, "containers": []any{manifestOf{"name": "c", "image": "c"}}},
	}
	s.Do(http.MethodPost, "/api/v1/namespaces/shop/pods", pod)
	pod["status"] = manifestOf{"phase": "Running", "podIPs": []any{manifestOf{"ip": ip}}, "podIP": ip}
	s.Do(http.MethodPut, "/api/v1/namespaces/shop/pods/"+name+"/status", pod)
	s.Do(http.MethodPost, "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices", manifestOf{
		"metadata":    manifestOf{"name": name, "namespace": "shop", "labels": manifestOf{"kubernetes.io/service-name": "web"}},
		"addressType": "IPv4", "ports": []any{manifestOf{"name": "http", "port": 8080}},
		"endpoints": []any{manifestOf{"addresses": []any{ip}, "targetRef": manifestOf{"kind": "Pod", "namespace": "shop", "name": name}}},
	})
}

// Policy in a repository, applications on a cluster: what it holds is pinned, served,
// and shown where it is no longer what was pinned.
func TestAClusterIsLockedAndServed(t *testing.T) {
	s := apiserver.New(t)
	kubeconfig := townOnCluster(t, s)
	src, out, state := t.TempDir(), filepath.Join(t.TempDir(), "b"), filepath.Join(t.TempDir(), "state")
	writeFiles(t, src, map[string]string{"policy.yaml": policyManifests})
	exported, _ := wants(t, exitClean, "catalog", "export", "--from", "cluster", "--kubeconfig", kubeconfig)
	for _, want := range []string{"# from: cluster\n", "\naccount shop/nobody\n", "\nnamespace shop label=meshc.dev/mesh:town\n", "\nservice shop/web account=shop/web port=80,name=http,app=http,target=8080\n"} {
		if !strings.Contains(exported, want) {
			t.Errorf("the export lacks %q:\n%s", want, exported)
		}
	}
	wants(t, exitClean, "lock", src, "--update", "--from", "cluster", "--kubeconfig", kubeconfig)
	wants(t, exitClean, "build", src, "-o", out, "--locked")

	admin, end := serving(t, "--bundle", out, "--catalog", "cluster", "--kubeconfig", kubeconfig, "--state", state)
	if text, _ := wants(t, exitClean, "status", "--server", admin); strings.Contains(text, "drift") || strings.Contains(text, "degraded") {
		t.Errorf("the cluster is as it was locked:\n%s", text)
	}
	podOnCluster(s, "web-2", "nobody", "10.244.0.6")
	says(t, admin, "MSH4602")
	s.Do(http.MethodDelete, "/api/v1/namespaces/shop/serviceaccounts/front", nil)
	says(t, admin, "MSH4612")
	says(t, admin, "compiled with "+filepath.Join(src, "meshc.lock")+":")
	s.Stop()
	says(t, admin, "degraded")
	if code := end(); code != exitClean {
		t.Fatalf("serve ended with %d", code)
	}

	// A restart while the API server is away serves what was known last.
	again, _ := serving(t, "--bundle", out, "--catalog", "cluster", "--kubeconfig", kubeconfig, "--state", state)
	says(t, again, "the last good one is served")
	says(t, again, "MSH4602")
}

// says waits until status says something.
func says(t *testing.T, admin, want string) {
	t.Helper()
	var text string
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if text, _ = wants(t, exitClean, "status", "--server", admin); strings.Contains(text, want) {
			return
		}
	}
	t.Errorf("status never says %q:\n%s", want, text)
}
