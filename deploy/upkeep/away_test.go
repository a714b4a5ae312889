package upkeep_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/meshc/meshc/catalog/ca"
	"github.com/meshc/meshc/deploy/upkeep"
)

// A replica that restarts while the API server is away issues on; one that has nothing
// does not make a root of its own, neither then nor when only the Secret is gone.
func TestNoSecondRoot(t *testing.T) {
	c := begin(t)
	dir := t.TempDir()
	first := c.replica(true, dir)
	roots := c.authority(first).Roots()
	c.Stop()
	again := c.replica(true, dir)
	if got := c.authority(again).Roots(); !bytes.Equal(got, roots) || again.says("authority") == "" {
		t.Errorf("after a restart without the API server: %q", again.says("authority"))
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := c.replica(true, t.TempDir()).OpenAuthority(ctx, t.TempDir(), ca.Options{}); err == nil {
		t.Error("a root was made without asking anybody")
	}
	hooks, err := again.OpenWebhooks(t.Context(), upkeep.WebhookOptions{Hosts: []string{"localhost"}})
	if err != nil {
		t.Fatalf("without the API server a replica does not start: %v", err)
	}
	if _, err := hooks.GetCertificate(nil); err == nil || hooks.Trusted() == nil || again.says("webhooks") == "" {
		t.Errorf("webhooks are said to be well without a certificate: %v", err)
	}
	again.run(t)
	c.Start()
	c.until("it has one when the API server is back", func() error {
		_, err := hooks.GetCertificate(nil)
		if says := again.says("webhooks") + again.says("authority"); err == nil && says != "" {
			return errors.New(says)
		}
		return err
	})
	again.stop()
	c.namespace("shop", object{"meshc.dev/mesh": "mesh"})
	c.Do(http.MethodPost, "/api/v1/namespaces/shop/configmaps", object{"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": object{"name": "meshc-trust", "labels": object{"app.kubernetes.io/part-of": "meshc"}}, "data": object{"ca.crt": string(roots)}})
	c.Do(http.MethodDelete, caPath, nil)
	if _, err := c.replica(true, t.TempDir()).OpenAuthority(t.Context(), t.TempDir(), ca.Options{}); err == nil || !strings.Contains(err.Error(), "gone") {
		t.Errorf("a new root was made while namespaces trust another: %v", err)
	}
	if got := c.authority(c.replica(true, dir)).Roots(); !bytes.Equal(got, roots) || c.data(caPath) == nil {
		t.Error("who has a copy does not bring it back")
	}
	if got := c.authority(c.replica(true, t.TempDir())).Roots(); !bytes.Equal(got, roots) {
		t.Error("and the next one has another root")
	}
}

// A ConfigMap that anybody may make outside of the mesh must neither keep a control
// plane from its first start nor from the next one.
func TestAStrangersConfigMapDoesNotHoldUpAMesh(t *testing.T) {
	c := begin(t)
	c.namespace("outside", nil)
	other, err := ca.Open(t.TempDir(), ca.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c.Do(http.MethodPost, "/api/v1/namespaces/outside/configmaps", object{"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": object{"name": "meshc-trust", "labels": object{"app.kubernetes.io/part-of": "meshc"}}, "data": object{"ca.crt": string(other.Roots())}})
	for _, start := range []string{"first", "next"} {
		if _, err := c.replica(true, "").OpenAuthority(t.Context(), t.TempDir(), ca.Options{}); err != nil {
			t.Errorf("the %s start: %v", start, err)
		}
	}
}
