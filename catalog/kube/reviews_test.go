package kube_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	authn "k8s.io/api/authentication/v1"
	"k8s.io/client-go/rest"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/catalog/kube"
	"github.com/meshc/meshc/catalog/token"
)

// signer makes tokens as a kubelet projects them.
func signer(t testing.TB) func(pod, audience string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return func(pod, audience string) string {
		now := time.Now()
		raw, err := jwt.Signed(s).Claims(map[string]any{
			"iss": "https://kubernetes.default.svc", "aud": []string{audience}, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
			"kubernetes.io": map[string]any{"namespace": "shop", "serviceaccount": map[string]string{"name": "cart", "uid": "a"},
				"pod": map[string]string{"name": pod, "uid": "uid-" + pod}, "node": map[string]string{"name": "n1", "uid": "n"}},
		}).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
}

var looksLikeToken = regexp.MustCompile(`eyJ[\w-]+\.[\w-]+\.[\w-]+`)

// reviewer is an API server that reviews tokens as answer says, and tells nothing else.
func reviewer(t testing.TB, answer func(raw string) authn.TokenReviewStatus) *rest.Config {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.URL.Path != "/apis/authentication.k8s.io/v1/tokenreviews" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		out := authn.TokenReview{Status: answer(string(looksLikeToken.Find(body)))}
		out.APIVersion, out.Kind = "authentication.k8s.io/v1", "TokenReview"
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(out) // who asked is gone
	}))
	t.Cleanup(s.Close)
	return &rest.Config{Host: s.URL}
}

// accepts is the answer to a good token of a pod.
func accepts(pod string) authn.TokenReviewStatus {
	return authn.TokenReviewStatus{Authenticated: true, Audiences: []string{token.Audience}, User: authn.UserInfo{
		Username: "system:serviceaccount:shop:cart", Extra: map[string]authn.ExtraValue{
			"authentication.kubernetes.io/pod-name": {pod}, "authentication.kubernetes.io/pod-uid": {"uid-" + pod}, "authentication.kubernetes.io/node-name": {"n1"},
		}}}
}

func judgeAt(t testing.TB, config *rest.Config, degraded func(string)) *kube.Tokens {
	t.Helper()
	out, err := kube.NewTokens(kube.TokenOptions{Config: config, TrustDomain: "cluster.local", State: t.TempDir(),
		Catalog: func() *catalog.Snapshot { return nil }, Degraded: degraded})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Two hundred pods that start at once are all let in: client-go's own limit of five
// requests a second would make the API server look as if it did not answer.
func TestManyPodsAtOnce(t *testing.T) {
	sign := signer(t)
	pods := map[string]string{}
	for n := range 200 {
		pod := fmt.Sprintf("cart-%d", n)
		pods[sign(pod, token.Audience)] = pod
	}
	config := reviewer(t, func(raw string) authn.TokenReviewStatus { return accepts(pods[raw]) })
	tokens := judgeAt(t, config, func(reason string) {
		if reason != "" {
			t.Error("degraded:", reason)
		}
	})
	var wait sync.WaitGroup
	for raw, pod := range pods {
		wait.Go(func() {
			if c, err := tokens.Verify(raw, time.Now()); err != nil || c.Workload != "shop/"+pod {
				t.Errorf("%s: %+v %v", pod, c, err)
			}
		})
	}
	wait.Wait()
}

// Streams that were let in while the API server was away live on for hours: that it is
// back shows in status without a new one.
func TestTheAPIServersReturnIsNoticed(t *testing.T) {
	var away atomic.Bool
	away.Store(true)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if away.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer s.Close()
	reasons := make(chan string, 10)
	tokens := judgeAt(t, &rest.Config{Host: s.URL}, func(reason string) { reasons <- reason })
	if _, err := tokens.Verify(signer(t)("cart-0", token.Audience), time.Now()); !errors.Is(err, kube.ErrOffline) {
		t.Fatal(err)
	}
	if reason := <-reasons; reason == "" {
		t.Error("an API server that does not answer shows nowhere")
	}
	away.Store(false)
	select {
	case reason := <-reasons:
		if reason != "" {
			t.Error(reason)
		}
	case <-time.After(time.Minute):
		t.Error("nobody noticed within a minute that the API server is back")
	}
}

// What the API server says of a token and what the token says must be one.
func TestReviewsThatDoNotFit(t *testing.T) {
	raw := signer(t)("cart-0", token.Audience)
	for name, c := range map[string]struct {
		change func(*authn.TokenReviewStatus)
		want   error
	}{
		"refused":                {func(s *authn.TokenReviewStatus) { s.Authenticated = false }, kube.ErrRefused},
		"audiences unknown":      {func(s *authn.TokenReviewStatus) { s.Audiences = nil }, token.ErrAudience},
		"another audience":       {func(s *authn.TokenReviewStatus) { s.Audiences = []string{"vault"} }, token.ErrAudience},
		"another account":        {func(s *authn.TokenReviewStatus) { s.User.Username = "system:serviceaccount:shop:admin" }, kube.ErrRefused},
		"another namespace":      {func(s *authn.TokenReviewStatus) { s.User.Username = "system:serviceaccount:bank:cart" }, kube.ErrRefused},
		"no account":             {func(s *authn.TokenReviewStatus) { s.User.Username = "admin" }, kube.ErrRefused},
		"a name with more parts": {func(s *authn.TokenReviewStatus) { s.User.Username += ":x" }, kube.ErrRefused},
		"another pod":            {func(s *authn.TokenReviewStatus) { *s = accepts("cart-1") }, kube.ErrRefused},
		"no pod":                 {func(s *authn.TokenReviewStatus) { s.User.Extra = nil }, kube.ErrUnbound},
		"two pods": {func(s *authn.TokenReviewStatus) {
			s.User.Extra["authentication.kubernetes.io/pod-uid"] = authn.ExtraValue{"uid-cart-0", "uid-cart-1"}
		}, kube.ErrUnbound},
		"another node": {func(s *authn.TokenReviewStatus) {
			s.User.Extra["authentication.kubernetes.io/node-name"] = authn.ExtraValue{"n2"}
		}, kube.ErrRefused},
	} {
		config := reviewer(t, func(string) authn.TokenReviewStatus {
			s := accepts("cart-0")
			c.change(&s)
			return s
		})
		if claims, err := judgeAt(t, config, nil).Verify(raw, time.Now()); !errors.Is(err, c.want) {
			t.Errorf("%s: %+v %v", name, claims, err)
		}
	}
}

// FuzzTokens: whatever a peer sends as its token nothing panics, and what no API
// server accepted counts for nobody.
func FuzzTokens(f *testing.F) {
	sign := signer(f)
	f.Add(sign("cart-0", token.Audience))
	f.Add(sign("cart-0", "vault"))
	f.Add(strings.Repeat("eyJhbGciOiJub25lIn0.", 3))
	f.Add("eyJhbGciOiJub25lIn0.eyJhdWQiOiJtZXNoYyIsImt1YmVybmV0ZXMuaW8iOm51bGx9.")
	config := reviewer(f, func(string) authn.TokenReviewStatus { return authn.TokenReviewStatus{} })
	tokens := judgeAt(f, config, nil)
	f.Fuzz(func(t *testing.T, raw string) {
		kube.IsProjected(raw)
		if c, err := tokens.Verify(raw, time.Now()); err == nil {
			t.Errorf("%q counts as %+v", raw, c)
		}
	})
}
