package doctor_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/meshc/meshc/deploy/api"
	"github.com/meshc/meshc/deploy/chart"
	"github.com/meshc/meshc/deploy/doctor"
	"github.com/meshc/meshc/deploy/install"
	"github.com/meshc/meshc/test/cluster/apiserver"
)

const home = "meshc-system"

// A cluster in which all is well has no finding; each thing that is wrong has its own.
// They come one after the other, so that none hides another.
func TestWhatIsWrongIsFound(t *testing.T) {
	c, err := api.New(apiserver.New(t).Config)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, c: c}
	w.finds("an empty cluster")
	w.healthy()
	w.finds("a mesh that works")

	w.put(node("old", "v1.28.3", "linux"))
	w.finds("an old kubelet", "MSH4106")
	w.gone(api.Ref{APIVersion: "v1", Kind: "Node", Name: "old"})

	w.put(node("glass", "v1.36.0", "windows"))
	w.finds("a node with Windows", "MSH4120")
	w.gone(api.Ref{APIVersion: "v1", Kind: "Node", Name: "glass"})

	w.put(api.Object{"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": api.Object{"name": "early", "namespace": "kube-node-lease"},
		"spec": api.Object{"renewTime": time.Now().Add(time.Hour).UTC().Format("2006-01-02T15:04:05.000000Z07:00")}})
	w.finds("a node whose clock is ahead", "MSH4109")
	w.gone(api.Ref{APIVersion: "coordination.k8s.io/v1", Kind: "Lease", Namespace: "kube-node-lease", Name: "early"})

	w.put(api.Object{"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration", "metadata": api.Object{"name": "osm-webhook-osm"}})
	w.finds("a webhook that Open Service Mesh left", "MSH4103")
	w.gone(api.Ref{APIVersion: "admissionregistration.k8s.io/v1", Kind: "MutatingWebhookConfiguration", Name: "osm-webhook-osm"})

	w.put(space("shop", api.Object{"meshc.dev/mesh": "mesh", "pod-security.kubernetes.io/enforce": "restricted"}))
	w.finds("a namespace that refuses proxies", "MSH4108", "MSH4038") // the pod that is tried is refused as others will be
	w.put(space("shop", api.Object{"meshc.dev/mesh": "mesh"}))

	w.put(space("lost", api.Object{"meshc.dev/mesh": "mehs"}))
	w.finds("a namespace of no mesh that there is", "MSH4117")
	w.put(space("lost", api.Object{}))

	w.put(api.Object{"apiVersion": "v1", "kind": "Pod", "metadata": api.Object{"name": "early", "namespace": "plain"},
		"spec": api.Object{"containers": []any{api.Object{"name": "c", "image": "c"}}}})
	w.put(space("plain", api.Object{"meshc.dev/mesh": "mesh"}))
	w.finds("a pod that came before its namespace joined", "MSH4115")
	w.put(space("plain", api.Object{}))

	w.put(secret(install.Serving, certificate(t, -48*time.Hour, -time.Hour)))
	w.finds("a certificate that ended", "MSH4107")
	w.put(secret(install.Serving, certificate(t, -time.Hour, 24*time.Hour)))

	role := api.Ref{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "ClusterRole", Name: install.Controller}
	full, err := c.Get(t.Context(), role)
	if err != nil {
		t.Fatal(err)
	}
	w.merge(role, api.Object{"rules": []any{}})
	w.finds("a controller that may nothing", "MSH4104")
	w.merge(role, api.Object{"rules": full["rules"]})

	w.webhook.Close()
	w.finds("webhooks that do not answer", "MSH4108", "MSH4108")
}

// world is a cluster that is made well, and then ill.
type world struct {
	t       *testing.T
	c       *api.Client
	webhook *httptest.Server
}

func (w *world) finds(what string, want ...string) {
	w.t.Helper()
	slices.Sort(want)
	var got []string
	var all []doctor.Check
	// The API server learns of webhooks and roles by watching: what it does not know yet it knows soon.
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		checks, err := doctor.Run(w.t.Context(), doctor.Options{Client: w.c, Namespace: home, Mesh: "mesh", Now: time.Now()})
		if err != nil {
			w.t.Fatal(err)
		}
		got, all = nil, checks
		for _, check := range checks {
			for _, f := range check.Found {
				got = append(got, string(f.Code))
			}
		}
		if slices.Sort(got); slices.Equal(got, want) {
			return
		}
	}
	w.t.Errorf("%s: %v, want %v", what, got, want)
	for _, check := range all {
		for _, f := range check.Found {
			w.t.Logf("%s: %s %s", check.Name, f.Code, f.Message)
		}
	}
}

func (w *world) install() {
	w.t.Helper()
	plan, err := install.NewPlan(home, chart.Object{"image": "registry.example/meshc:test"})
	if err != nil {
		w.t.Fatal(err)
	}
	before, err := install.Installed(w.t.Context(), w.c, home)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := install.Apply(w.t.Context(), w.c, plan, before, install.Options{}); err != nil {
		w.t.Fatal(err)
	}
}

// healthy installs, and does what controllers would: here none runs.
func (w *world) healthy() {
	w.t.Helper()
	w.install()
	status, err := json.Marshal(api.Object{"status": api.Object{"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2}})
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.c.Raw(w.t.Context(), http.MethodPatch, "/apis/apps/v1/namespaces/"+home+"/deployments/"+install.Controller+"/status", "application/merge-patch+json", status); err != nil {
		w.t.Fatal(err)
	}
	w.webhook = httptest.NewTLSServer(http.HandlerFunc(answer))
	w.t.Cleanup(w.webhook.Close)
	authority := base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.webhook.Certificate().Raw}))
	for kind, name := range map[string]string{"ValidatingWebhookConfiguration": install.Validating, "MutatingWebhookConfiguration": install.Mutating} {
		ref := api.Ref{APIVersion: "admissionregistration.k8s.io/v1", Kind: kind, Name: name}
		o, err := w.c.Get(w.t.Context(), ref)
		if err != nil {
			w.t.Fatal(err)
		}
		hooks := []any{}
		for _, h := range api.List(o, "webhooks") {
			h["clientConfig"] = api.Object{"url": w.webhook.URL, "caBundle": authority}
			hooks = append(hooks, h)
		}
		w.merge(ref, api.Object{"webhooks": hooks})
	}
	fresh := certificate(w.t, -time.Hour, 24*time.Hour)
	w.put(secret(install.Serving, fresh), secret(install.Authority, fresh), space("plain", nil), space("shop", api.Object{"meshc.dev/mesh": "mesh"}),
		api.Object{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": api.Object{"name": "default", "namespace": "shop"}})
}

// answer is a webhook that allows all, and marks pods as injected.
func answer(w http.ResponseWriter, r *http.Request) {
	var review api.Object
	if json.NewDecoder(r.Body).Decode(&review) != nil {
		http.Error(w, "no review", http.StatusBadRequest)
		return
	}
	response := api.Object{"uid": api.Text(review, "request", "uid"), "allowed": true}
	if api.Text(review, "request", "kind", "kind") == "Pod" {
		response["patchType"], response["patch"] = "JSONPatch", []byte(`[{"op":"add","path":"/metadata/labels","value":{"meshc.dev/injected":"true"}}]`)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(api.Object{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}) // the API server says so if it is gone
}

func (w *world) put(objects ...api.Object) {
	w.t.Helper()
	for _, o := range objects {
		if _, err := w.c.Apply(w.t.Context(), o, false); err != nil {
			w.t.Fatal(err)
		}
		if status, ok := o["status"]; ok {
			body, err := json.Marshal(api.Object{"status": status})
			if err != nil {
				w.t.Fatal(err)
			}
			if _, err := w.c.Raw(w.t.Context(), http.MethodPatch, "/api/v1/nodes/"+api.Text(o, "metadata", "name")+"/status", "application/merge-patch+json", body); err != nil {
				w.t.Fatal(err)
			}
		}
	}
}

func (w *world) merge(ref api.Ref, fields api.Object) {
	w.t.Helper()
	if _, err := w.c.Merge(w.t.Context(), ref, fields); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) gone(ref api.Ref) {
	w.t.Helper()
	if _, err := w.c.Delete(w.t.Context(), ref); err != nil {
		w.t.Fatal(err)
	}
}

func node(name, kubelet, system string) api.Object {
	return api.Object{"apiVersion": "v1", "kind": "Node", "metadata": api.Object{"name": name},
		"status": api.Object{"nodeInfo": api.Object{
			"kubeletVersion": kubelet, "operatingSystem": system, "machineID": "", "systemUUID": "", "bootID": "", "kernelVersion": "", "osImage": "",
			"containerRuntimeVersion": "", "kubeProxyVersion": "", "architecture": "",
		}}}
}

func space(name string, labels api.Object) api.Object {
	return api.Object{"apiVersion": "v1", "kind": "Namespace", "metadata": api.Object{"name": name, "labels": labels}}
}

func secret(name string, certificate []byte) api.Object {
	return api.Object{"apiVersion": "v1", "kind": "Secret", "metadata": api.Object{"name": name, "namespace": home},
		"data": api.Object{"tls.crt": base64.StdEncoding.EncodeToString(certificate)}}
}

func certificate(t *testing.T, from, to time.Duration) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "meshc"}, NotBefore: time.Now().Add(from), NotAfter: time.Now().Add(to)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
