package kube_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	authn "k8s.io/api/authentication/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/catalog/kube"
	"github.com/meshc/meshc/catalog/token"
	"github.com/meshc/meshc/test/cluster/apiserver"
)

// projected is the token that a kubelet would put into a pod; without a pod one
// that is bound to none.
func projected(t *testing.T, s *apiserver.Server, audience string, pod *core.Pod) string {
	t.Helper()
	ask := &authn.TokenRequest{Spec: authn.TokenRequestSpec{Audiences: []string{audience}, ExpirationSeconds: pointer(int64(3600))}}
	if pod != nil {
		ask.Spec.BoundObjectRef = &authn.BoundObjectReference{Kind: "Pod", APIVersion: "v1", Name: pod.Name, UID: pod.UID}
	}
	var got authn.TokenRequest
	if err := json.Unmarshal(s.Do(http.MethodPost, "/api/v1/namespaces/shop/serviceaccounts/cart/token", ask), &got); err != nil {
		t.Fatal(err)
	}
	return got.Status.Token
}

func TestProjectedTokens(t *testing.T) {
	s := apiserver.New(t)
	world(s, "10.244.0.5")
	var pod core.Pod
	if err := json.Unmarshal(s.Do(http.MethodGet, "/api/v1/namespaces/shop/pods/cart-0", nil), &pod); err != nil {
		t.Fatal(err)
	}
	p := watch(t, kube.Options{Config: s.Config})
	until(t, p, "the pod is an endpoint", func(s *catalog.Snapshot) bool { return endpoints(s, 1) })
	dir, reason := t.TempDir(), ""
	judge := func(change ...func(*kube.TokenOptions)) *kube.Tokens {
		o := kube.TokenOptions{Config: s.Config, TrustDomain: "cluster.local", State: dir, Grace: time.Hour,
			Catalog: p.Snapshot, Degraded: func(r string) { reason = r }}
		for _, f := range change {
			f(&o)
		}
		out, err := kube.NewTokens(o)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	live := func(o *kube.TokenOptions) { o.Pods = func() *kube.Provider { return p } }
	now := time.Now()
	good := projected(t, s, "meshc", &pod)
	tokens := judge(live)
	claims, err := tokens.Verify(good, now)
	if err != nil || claims.Identity.Short() != "shop/cart" || claims.Workload != "shop/cart-0" || claims.Expires.After(now.Add(2*time.Hour)) {
		t.Fatalf("%+v %v", claims, err)
	}
	if _, err := tokens.Verify(good, claims.Expires); !errors.Is(err, token.ErrExpired) {
		t.Errorf("a token that was reviewed counts longer than it lives: %v", err)
	}
	if _, err := tokens.Verify(good, claims.Expires.Add(-time.Second)); err != nil {
		t.Errorf("a token does not count as long as it lives: %v", err)
	}
	forged := good[:len(good)-8] + "AAAAAAAA"
	for name, c := range map[string]struct {
		raw  string
		want error
	}{
		"another audience":    {projected(t, s, "vault", &pod), token.ErrAudience},
		"bound to no pod":     {projected(t, s, "meshc", nil), kube.ErrUnbound},
		"another's signature": {forged, kube.ErrRefused},
		"no token":            {"x", token.ErrMalformed},
	} {
		if _, err := tokens.Verify(c.raw, now); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}

	s.Stop()
	if _, err := tokens.Verify(good, now); err != nil {
		t.Errorf("a token that was reviewed does not count while the cluster is away: %v", err)
	}
	restarted := judge()
	offline, err := restarted.Verify(good, now)
	if err != nil || !offline.Expires.Equal(claims.Expires.Add(time.Hour)) || reason == "" {
		t.Errorf("after a restart without the cluster: %+v %v, degraded %q", offline, err, reason)
	}
	restarted.SetGrace(2 * time.Hour) // the next bundle says so
	if offline, err = restarted.Verify(good, now); err != nil || !offline.Expires.Equal(claims.Expires.Add(2*time.Hour)) {
		t.Errorf("with a longer grace: %+v %v", offline, err)
	}
	restarted.SetGrace(-1)
	if _, err = restarted.Verify(good, now); !errors.Is(err, kube.ErrOffline) {
		t.Errorf("the grace was turned off, and the token counts: %v", err)
	}
	restarted.SetGrace(time.Hour)
	nobody := func(o *kube.TokenOptions) { o.Catalog = func() *catalog.Snapshot { return &catalog.Snapshot{} } }
	for name, c := range map[string]struct {
		tokens *kube.Tokens
		raw    string
		at     time.Time
		want   error
	}{
		"past the grace":       {restarted, good, claims.Expires.Add(time.Hour), token.ErrExpired},
		"another's signature":  {restarted, forged, now, kube.ErrOffline},
		"a pod nobody knows":   {judge(nobody), good, now, kube.ErrOffline},
		"the grace turned off": {judge(func(o *kube.TokenOptions) { o.Grace = -1 }), good, now, kube.ErrOffline},
		"no keys were kept":    {judge(func(o *kube.TokenOptions) { o.State = t.TempDir() }), good, now, kube.ErrOffline},
	} {
		if _, err := c.tokens.Verify(c.raw, c.at); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}

	s.Start()
	if revoked, _ := tokens.Revoked(claims); revoked {
		t.Error("the pod runs, and its stream would end")
	}
	s.Do(http.MethodDelete, "/api/v1/namespaces/shop/pods/cart-0", &meta.DeleteOptions{GracePeriodSeconds: pointer(int64(0))})
	until(t, p, "the pod's stream ends with the pod", func(*catalog.Snapshot) bool { revoked, _ := tokens.Revoked(claims); return revoked })
	if _, err := tokens.Verify(good, now); err == nil {
		t.Error("the token of a pod that is gone counts")
	}

	// An account that is deleted ends its pods' streams, though the pods run on.
	addPod(s, "cart-1", "10.244.0.6")
	if err := json.Unmarshal(s.Do(http.MethodGet, "/api/v1/namespaces/shop/pods/cart-1", nil), &pod); err != nil {
		t.Fatal(err)
	}
	until(t, p, "the next pod is there", func(s *catalog.Snapshot) bool { return len(s.Workloads) == 1 })
	next := projected(t, s, "meshc", &pod)
	if claims, err = tokens.Verify(next, now); err != nil {
		t.Fatal(err)
	}
	s.Do(http.MethodDelete, "/api/v1/namespaces/shop/serviceaccounts/cart", nil)
	until(t, p, "the stream ends with the account", func(*catalog.Snapshot) bool { revoked, _ := tokens.Revoked(claims); return revoked })
	if _, err := tokens.Verify(next, now); !errors.Is(err, kube.ErrPod) {
		t.Errorf("a token of an account that is gone: %v", err)
	}
}
