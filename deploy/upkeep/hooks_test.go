package upkeep_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/meshc/meshc/admission/inject"
	"github.com/meshc/meshc/admission/validate"
	"github.com/meshc/meshc/admission/webhook"
	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/deploy/crds"
	"github.com/meshc/meshc/deploy/upkeep"
	"github.com/meshc/meshc/policies"
)

const (
	validatingPath = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
	mutatingPath   = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
	definitionPath = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
)

// configure makes what an installation makes, without a caBundle anywhere.
func (c *cluster) configure(url string) {
	c.t.Helper()
	hook := func(name, path string, more object) object {
		out := object{"name": name, "sideEffects": "None", "admissionReviewVersions": []string{"v1"}, "failurePolicy": "Fail", "matchPolicy": "Equivalent",
			"clientConfig": object{"url": url + path}, "timeoutSeconds": 10}
		merge(out, more)
		return out
	}
	rule := func(operations, groups, resources []string) []any {
		return []any{object{"apiGroups": groups, "apiVersions": []string{"*"}, "operations": operations, "resources": resources}}
	}
	c.Do(http.MethodPost, validatingPath, object{"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
		"metadata": object{"name": upkeep.ValidateConfiguration}, "webhooks": []any{
			hook("policy.meshc.dev", "/validate", object{"rules": rule([]string{"CREATE", "UPDATE", "DELETE"}, []string{"split.smi-spec.io", "specs.smi-spec.io", "access.smi-spec.io"}, []string{"*"})}),
		}})
	c.Do(http.MethodPost, mutatingPath, object{"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
		"metadata": object{"name": upkeep.InjectConfiguration}, "webhooks": []any{
			hook("inject.meshc.dev", "/mutate", object{"rules": rule([]string{"CREATE"}, []string{""}, []string{"pods"}), "reinvocationPolicy": "IfNeeded",
				"namespaceSelector": object{"matchExpressions": []any{object{"key": "meshc.dev/mesh", "operator": "Exists"}}}}),
		}})
	files, err := crds.Files()
	if err != nil {
		c.t.Fatal(err)
	}
	for _, f := range files {
		var crd object
		if err := yaml.Unmarshal(f.Text, &crd); err != nil {
			c.t.Fatal(err)
		}
		if conversion, ok := crd["spec"].(object)["conversion"].(object); ok {
			conversion["webhook"].(object)["clientConfig"] = object{"url": url + crds.ConversionPath}
		}
		c.Do(http.MethodPost, definitionPath, crd)
	}
}

// hooks is a replica with webhooks, its trust bundles and a mesh that is empty.
type hooks struct {
	*replica
	*upkeep.Webhooks
	server *webhook.Server
}

func (c *cluster) hooks(r *replica, l net.Listener, opts upkeep.WebhookOptions, roots func() []byte) *hooks {
	c.t.Helper()
	h := &hooks{replica: r}
	var err error
	opts.Definitions = crds.Converted()
	if h.Webhooks, err = r.OpenWebhooks(c.t.Context(), opts); err != nil {
		c.t.Fatal(err)
	}
	names, err := r.OpenNamespaces()
	if err != nil {
		c.t.Fatal(err)
	}
	trust, err := r.OpenTrust(names, upkeep.TrustOptions{Roots: roots, Mesh: func() string { return "mesh" }})
	if err != nil {
		c.t.Fatal(err)
	}
	session := compiler.NewSession(ir.Known{}, compiler.Options{Stage: policies.Admission, NoPlan: true, NoRules: true})
	session.Load(source.FromMap(nil), ir.Known{})
	h.server, err = webhook.New(webhook.Options{
		Validate: &validate.Handler{Compiler: session, Exempt: []string{own}},
		Inject: &webhook.Injector{Namespace: names.Of, Trusted: trust.Await, Exempt: []string{own}, Settings: func() inject.Settings {
			return inject.Settings{Mesh: "mesh", ControlPlane: "meshc-controller.meshc-system.svc:15128", EnvoyImage: "envoy", InitImage: "meshc"}
		}},
		Certificate: h.GetCertificate, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		c.t.Fatal(err)
	}
	var served sync.WaitGroup
	served.Go(func() {
		if err := h.server.Serve(l); err != nil {
			c.t.Error(err)
		}
	})
	c.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = h.server.Shutdown(ctx) // API servers keep connections open
		served.Wait()
	})
	r.run(c.t)
	return h
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// asked tries a pod, a grant and a conversion; every answer must be the webhooks'.
func (c *cluster) asked(n int) error {
	pod, err := c.Try(http.MethodPost, "/api/v1/namespaces/shop/pods?dryRun=All", object{"apiVersion": "v1", "kind": "Pod",
		"metadata": object{"generateName": "app-"}, "spec": object{"serviceAccountName": "app", "containers": []any{object{"name": "app", "image": "a"}}}})
	if err != nil || !strings.Contains(string(pod), "meshc-proxy") {
		return fmt.Errorf("a pod: %s: %w", pod, err)
	}
	bad := object{"apiVersion": "split.smi-spec.io/v1alpha4", "kind": "TrafficSplit", "metadata": object{"name": "bad"},
		"spec": object{"service": "s", "backends": []any{object{"service": "s", "weight": 0}}}}
	if _, err := c.Try(http.MethodPost, "/apis/split.smi-spec.io/v1alpha4/namespaces/shop/trafficsplits", bad); err == nil || !strings.Contains(err.Error(), "MSH2") {
		return fmt.Errorf("a faulty split: %w", errors.Join(errors.New("not refused with a code"), err))
	}
	name := fmt.Sprint("r", n)
	old := object{"apiVersion": "specs.smi-spec.io/v1alpha1", "kind": "HTTPRouteGroup", "metadata": object{"name": name},
		"matches": []any{object{"name": "m", "pathRegex": "/a", "methods": []string{"GET"}}}}
	if _, err := c.Try(http.MethodPost, "/apis/specs.smi-spec.io/v1alpha1/namespaces/shop/httproutegroups", old); err != nil {
		return fmt.Errorf("a route group of old: %w", err)
	}
	path := "/apis/specs.smi-spec.io/v1alpha4/namespaces/shop/httproutegroups/" + name
	raw, err := c.Try(http.MethodGet, path, nil)
	if err != nil || !strings.Contains(string(raw), `"spec"`) {
		return fmt.Errorf("as a new one: %s: %w", raw, err)
	}
	_, err = c.Try(http.MethodDelete, path, nil)
	return err
}

// bundles are the caBundles of all that calls us.
func (c *cluster) bundles() map[string]string {
	out := map[string]string{}
	for name, path := range map[string]string{"validate": validatingPath + "/" + upkeep.ValidateConfiguration, "inject": mutatingPath + "/" + upkeep.InjectConfiguration} {
		var o struct {
			Webhooks []struct{ ClientConfig struct{ CABundle []byte } }
		}
		if err := json.Unmarshal(c.Do(http.MethodGet, path, nil), &o); err != nil {
			c.t.Fatal(err)
		}
		out[name] = string(o.Webhooks[0].ClientConfig.CABundle)
	}
	for _, name := range crds.Converted() {
		var o struct {
			Spec struct {
				Conversion struct {
					Webhook struct{ ClientConfig struct{ CABundle []byte } }
				}
			}
		}
		if err := json.Unmarshal(c.Do(http.MethodGet, definitionPath+"/"+name, nil), &o); err != nil {
			c.t.Fatal(err)
		}
		out[name] = string(o.Spec.Conversion.Webhook.ClientConfig.CABundle)
	}
	return out
}

// While authorities and certificates change, again and again, an API server is denied
// nothing, has pods changed, and objects converted; of two replicas each may answer.
func TestCertificatesChangeWithoutAFailedCall(t *testing.T) {
	c := begin(t)
	l := listen(t)
	url := "https://" + l.Addr().String()
	c.configure(url)
	c.namespace("shop", object{"meshc.dev/mesh": "mesh"})
	opts := upkeep.WebhookOptions{Hosts: []string{"127.0.0.1"}, Authority: 6 * time.Second, Serving: 4 * time.Second, Settle: 500 * time.Millisecond}
	roots := func() []byte { return []byte("a root") }
	leader := c.hooks(c.replica(true, ""), l, opts, roots)
	follower := c.hooks(c.replica(false, ""), listen(t), opts, roots)
	c.until("the API server asks", func() error { return c.asked(0) })
	c.until("both say that they are trusted", func() error { return errors.Join(leader.Trusted(), follower.Trusted()) })
	seen := map[string]bool{}
	both := false
	n := 0
	for deadline := time.Now().Add(90 * time.Second); len(seen) < 4 && time.Now().Before(deadline); {
		n++
		if err := c.asked(n); err != nil {
			t.Fatalf("call %d, after %d authorities: %v", n, len(seen), err)
		}
		data := c.data(hooksPath)
		seen[data["signer.crt"]] = true
		bundle, err := base64.StdEncoding.DecodeString(data["ca.crt"])
		if err != nil {
			t.Fatal(err)
		}
		both = both || bytes.Count(bundle, []byte("BEGIN")) > 1
	}
	if len(seen) < 4 || !both {
		t.Errorf("%d authorities in %d calls; both trusted meanwhile: %v", len(seen), n, both)
	}
	t.Logf("%d calls of each kind by %d authorities", n, len(seen))
	a, errA := leader.GetCertificate(nil)
	b, errB := follower.GetCertificate(nil)
	c.until("the follower serves with what the leader made", func() error {
		if a, errA = leader.GetCertificate(nil); errA != nil {
			return errA
		}
		if b, errB = follower.GetCertificate(nil); errB != nil || !bytes.Equal(a.Certificate[0], b.Certificate[0]) {
			return errors.Join(errB, errors.New("two certificates"))
		}
		return nil
	})
}

// A helm upgrade may empty caBundles, somebody may spoil or delete the Secret: both are
// mended at once, by a replica that does not lead too, and nobody fights.
func TestCABundlesArePutBack(t *testing.T) {
	c := begin(t)
	l := listen(t)
	url := "https://" + l.Addr().String()
	c.configure(url)
	c.namespace("shop", object{"meshc.dev/mesh": "mesh"})
	opts := upkeep.WebhookOptions{Hosts: []string{"127.0.0.1"}}
	roots := func() []byte { return []byte("a root") }
	leader := c.hooks(c.replica(true, ""), listen(t), opts, roots)
	follower := c.hooks(c.replica(false, ""), l, opts, roots) // it is asked, since the leader ends
	whole := func() error {
		data := c.data(hooksPath)
		want, err := base64.StdEncoding.DecodeString(data["ca.crt"])
		if err != nil || len(want) == 0 {
			return errors.New("there is no Secret")
		}
		for name, bundle := range c.bundles() {
			if bundle != string(want) {
				return fmt.Errorf("%s has %q", name, bundle)
			}
		}
		return errors.Join(leader.Trusted(), follower.Trusted())
	}
	c.until("all is filled in", whole)
	empty := func() {
		for _, path := range []string{validatingPath + "/" + upkeep.ValidateConfiguration, mutatingPath + "/" + upkeep.InjectConfiguration} {
			var o object
			if err := json.Unmarshal(c.Do(http.MethodGet, path, nil), &o); err != nil {
				t.Fatal(err)
			}
			delete(o["webhooks"].([]any)[0].(object)["clientConfig"].(object), "caBundle")
			c.Do(http.MethodPut, path, o)
		}
		for _, name := range crds.Converted() {
			c.patch(definitionPath+"/"+name, object{"spec": object{"conversion": object{"webhook": object{"clientConfig": object{"caBundle": nil}}}}})
		}
	}
	empty()
	c.until("all is filled in again", whole)
	leader.stop()
	empty()
	c.until("all is filled in without a leader", whole)
	follower.leads.Store(true)
	c.Do(http.MethodDelete, hooksPath, nil)
	c.until("all is filled in by another authority", whole)
	c.patch(hooksPath, object{"data": object{"tls.key": "bm9uZQo="}})
	c.until("what was spoilt is made anew", func() error {
		if err := whole(); err != nil {
			return err
		}
		return c.asked(1)
	})
	version := func() string {
		return string(c.Do(http.MethodGet, validatingPath+"/"+upkeep.ValidateConfiguration, nil))
	}
	settled := version()
	c.until("it is asked once more", func() error { return c.asked(2) })
	if version() != settled {
		t.Error("what is as it must be was written again")
	}
}
