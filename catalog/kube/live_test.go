package kube_test

import (
	"encoding/base64"
	"encoding/pem"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/catalog/kube"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/test/cluster/apiserver"
)

// world puts the shop onto an API server: a namespace, an account, a service, a pod
// that runs at ip and its slice.
func world(s *apiserver.Server, ip string) {
	s.Do(http.MethodPost, "/api/v1/namespaces", &core.Namespace{ObjectMeta: meta.ObjectMeta{Name: "shop", Labels: map[string]string{ir.LabelMesh: "shop"}}})
	s.Do(http.MethodPost, "/api/v1/nodes", &core.Node{
		ObjectMeta: meta.ObjectMeta{Name: "n1", Labels: map[string]string{core.LabelTopologyRegion: "eu", core.LabelTopologyZone: "eu-1"}},
		Spec:       core.NodeSpec{PodCIDR: "10.244.0.0/24", PodCIDRs: []string{"10.244.0.0/24"}},
	})
	s.Do(http.MethodPost, "/api/v1/namespaces/shop/serviceaccounts", &core.ServiceAccount{ObjectMeta: meta.ObjectMeta{Name: "cart"}})
	s.Do(http.MethodPost, "/api/v1/namespaces/shop/services", cart(func(s *core.Service) { s.Spec.ClusterIP, s.Spec.ClusterIPs = "", nil }))
	addPod(s, "cart-0", ip)
}

func addPod(s *apiserver.Server, name, ip string) {
	p := runs(name, ip, func(p *core.Pod) {
		p.Spec.Containers = []core.Container{{Name: "main", Image: "none", Ports: []core.ContainerPort{{Name: "web", ContainerPort: 8080}}}}
	})
	status := p.Status
	s.Do(http.MethodPost, "/api/v1/namespaces/shop/pods", p)
	p.Status = status
	s.Do(http.MethodPut, "/api/v1/namespaces/shop/pods/"+name+"/status", p)
	slice := slice(8080, at(name, ip, conditions(true, true, false)))
	slice.Name = "cart-" + name
	s.Do(http.MethodPost, "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices", slice)
}

func TestMain(m *testing.M) {
	klog.SetSlogLogger(slog.New(slog.DiscardHandler)) // client-go tells of every watch that ends
	os.Exit(m.Run())
}

func watch(t *testing.T, o kube.Options) *kube.Provider {
	t.Helper()
	p, err := kube.Watch(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() }) // it never fails
	if err := p.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p
}

// until waits for the notice after which something holds.
func until(t *testing.T, p *kube.Provider, what string, holds func(*catalog.Snapshot) bool) {
	t.Helper()
	late := time.After(time.Minute)
	for !holds(p.Snapshot()) {
		select {
		case <-p.Changed():
		case <-late:
			t.Fatalf("never: %s; %v; %+v", what, p.Err(), p.Snapshot())
		}
	}
}

func endpoints(s *catalog.Snapshot, n int) bool {
	for _, svc := range s.Services {
		if svc.ID.String() == "shop/cart" {
			return len(svc.Endpoints) == n
		}
	}
	return false
}

func TestAClusterIsFollowed(t *testing.T) {
	s := apiserver.New(t)
	world(s, "10.244.0.5")
	p := watch(t, kube.Options{Config: s.Config, Rules: kube.Rules{Mesh: "shop"}})
	until(t, p, "the pod is an endpoint", func(s *catalog.Snapshot) bool { return endpoints(s, 1) })
	snap := p.Snapshot()
	i := 0
	for snap.Services[i].ID.String() != "shop/cart" {
		i++
	}
	svc := snap.Services[i]
	e := svc.Endpoints[0]
	if len(svc.VIPs) != 1 || !e.Meshed || e.Identity.Short() != "shop/cart" || e.Locality != (catalog.Locality{Region: "eu", Zone: "eu-1"}) {
		t.Errorf("%+v", svc)
	}
	if len(snap.PodRanges) != 1 || len(snap.ServiceRanges) != 1 || snap.ServiceRanges[0].String() != "10.96.0.0/16" {
		t.Errorf("ranges %v %v", snap.ServiceRanges, snap.PodRanges)
	}
	if p.Snapshot() != snap {
		t.Error("nothing changed, and there is another snapshot")
	}

	addPod(s, "cart-1", "10.244.0.6")
	until(t, p, "another pod is an endpoint", func(s *catalog.Snapshot) bool { return endpoints(s, 2) })
	s.Do(http.MethodDelete, "/api/v1/namespaces/shop/pods/cart-0", &meta.DeleteOptions{GracePeriodSeconds: pointer(int64(0))})
	until(t, p, "a pod that is gone is none", func(s *catalog.Snapshot) bool { return endpoints(s, 1) })
}

// A control plane that forgot its endpoints whenever an API server is upgraded would
// be an outage.
func TestNothingIsDroppedWhileTheAPIServerIsAway(t *testing.T) {
	s := apiserver.New(t)
	world(s, "10.244.0.5")
	p := watch(t, kube.Options{Config: s.Config})
	until(t, p, "the pod is an endpoint", func(s *catalog.Snapshot) bool { return endpoints(s, 1) })
	snap := p.Snapshot()
	s.Stop()
	until(t, p, "the fault is told", func(*catalog.Snapshot) bool { return p.Err() != nil })
	if p.Snapshot() != snap {
		t.Errorf("it is another one now: %+v", p.Snapshot())
	}
	s.Start()
	addPod(s, "cart-1", "10.244.0.6")
	until(t, p, "what came since is known", func(s *catalog.Snapshot) bool { return endpoints(s, 2) })
	until(t, p, "the fault is over", func(*catalog.Snapshot) bool { return p.Err() == nil })
}

// kubeconfig is what a secret of a further cluster holds.
func kubeconfig(host, authority, user string) []byte {
	return []byte(strings.NewReplacer("HOST", host, "CA", authority, "USER", user).Replace(`
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "HOST", certificate-authority-data: CA}}]
users: [{name: u, user: {USER}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
`))
}

// ofCluster is the secret of a further cluster, called as it is.
func ofCluster(name string, kubeconfig []byte) *core.Secret {
	return &core.Secret{
		ObjectMeta: meta.ObjectMeta{Name: name, Labels: map[string]string{kube.LabelCluster: name}},
		Data:       map[string][]byte{"kubeconfig": kubeconfig},
	}
}

// The endpoints of a service of one name and namespace in two clusters are one
// service's. A kubeconfig that would run a program is not used.
func TestFurtherClustersComeBySecrets(t *testing.T) {
	here, there := apiserver.New(t), apiserver.New(t)
	world(here, "10.244.0.5")
	world(there, "10.245.0.5")
	raw, err := os.ReadFile(there.Config.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	authority := base64.StdEncoding.EncodeToString(raw)
	p := watch(t, kube.Options{Config: here.Config, Clusters: "shop"})
	until(t, p, "its own pod is an endpoint", func(s *catalog.Snapshot) bool { return endpoints(s, 1) })

	secret := ofCluster("east", kubeconfig(there.Config.Host, authority, `exec: {apiVersion: client.authentication.k8s.io/v1, command: "/bin/true", interactiveMode: Never}`))
	here.Do(http.MethodPost, "/api/v1/namespaces/shop/secrets", secret)
	until(t, p, "the program is refused", func(*catalog.Snapshot) bool {
		return p.Err() != nil && strings.Contains(p.Err().Error(), "runs a program")
	})
	secret.Data["kubeconfig"] = kubeconfig(there.Config.Host, authority, "token: "+there.Config.BearerToken)
	here.Do(http.MethodPut, "/api/v1/namespaces/shop/secrets/east", secret)
	until(t, p, "the other cluster's pod is one as well", func(s *catalog.Snapshot) bool { return endpoints(s, 2) && p.Err() == nil })

	good := secret.Data["kubeconfig"]
	secret.Data["kubeconfig"] = []byte("nonsense")
	here.Do(http.MethodPut, "/api/v1/namespaces/shop/secrets/east", secret)
	until(t, p, "the fault is told", func(*catalog.Snapshot) bool { return p.Err() != nil })
	if !endpoints(p.Snapshot(), 2) || len(p.Objects("shop")) != 2 {
		t.Error("who spoils a kubeconfig loses what was known of the cluster")
	}
	secret.Data["kubeconfig"] = good
	here.Do(http.MethodPut, "/api/v1/namespaces/shop/secrets/east", secret)
	addPod(there, "cart-1", "10.245.0.6")
	until(t, p, "the renewed one is followed", func(s *catalog.Snapshot) bool { return endpoints(s, 3) && p.Err() == nil })

	there.Stop()
	until(t, p, "the fault is told", func(*catalog.Snapshot) bool { return p.Err() != nil })
	if !endpoints(p.Snapshot(), 3) {
		t.Error("a cluster that does not answer has lost its endpoints")
	}
	here.Do(http.MethodDelete, "/api/v1/namespaces/shop/secrets/east", nil)
	until(t, p, "without its secret it is out", func(s *catalog.Snapshot) bool { return endpoints(s, 1) && p.Err() == nil })
}

// Of a kind that a cluster does not have there is no event; if that is the last it
// tells, nothing else would have it joined.
func TestAFurtherClusterThatTellsNothingLastIsJoined(t *testing.T) {
	here, there := apiserver.New(t), apiserver.New(t)
	world(here, "10.244.0.5")
	world(there, "10.245.0.5")
	host, err := url.Parse(there.Config.Host)
	if err != nil {
		t.Fatal(err)
	}
	through, err := rest.TransportFor(there.Config)
	if err != nil {
		t.Fatal(err)
	}
	tell := make(chan struct{})
	var mu sync.Mutex
	followed := map[string]bool{} // what was asked for
	proxy := &httputil.ReverseProxy{Transport: through, FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(host) }}
	front := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/servicecidrs") {
			if r.URL.Query().Has("watch") {
				mu.Lock()
				followed[r.URL.Path] = true
				mu.Unlock()
			}
			proxy.ServeHTTP(w, r)
			return
		}
		<-tell
		http.NotFound(w, r) // as before Kubernetes 1.33
	}))
	t.Cleanup(front.Close)
	release := sync.OnceFunc(func() { close(tell) })
	t.Cleanup(release)
	p := watch(t, kube.Options{Config: here.Config, Clusters: "shop"})
	authority := base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: front.Certificate().Raw}))
	here.Do(http.MethodPost, "/api/v1/namespaces/shop/secrets", ofCluster("old", kubeconfig(front.URL, authority, "token: "+there.Config.BearerToken)))
	late := time.After(time.Minute)
	for heard := false; !heard; { // all else was asked for, and nothing comes of it any more
		p.Snapshot()
		select {
		case <-p.Changed():
		case <-time.After(time.Second):
			mu.Lock()
			heard = len(followed) == 6
			mu.Unlock()
		case <-late:
			t.Fatalf("only these are followed: %v", followed)
		}
	}
	if endpoints(p.Snapshot(), 2) {
		t.Fatal("it is joined before it told all")
	}
	release()
	until(t, p, "the other cluster's pod is one as well", func(s *catalog.Snapshot) bool { return endpoints(s, 2) })
}
