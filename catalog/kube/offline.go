package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/catalog/state"
	"github.com/meshc/meshc/catalog/token"
)

// claims are what a projected token says.
type claims struct {
	jwt.Claims
	Kubernetes struct {
		Namespace string `json:"namespace"`
		Account   named  `json:"serviceaccount"`
		Pod       named  `json:"pod"`
		Node      named  `json:"node"`
	} `json:"kubernetes.io"`
}

type named struct {
	Name string `json:"name"`
	UID  string `json:"uid"`
}

func (c claims) has(audience string) bool { return slices.Contains(c.Audience, audience) }

// algorithms are those that API servers sign with.
var algorithms = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.ES256, jose.ES384, jose.ES512}

// maxToken bounds a token, in bytes.
const maxToken = 16 << 10

// unproven reads what a token says and believes none of it.
func unproven(raw string) (c claims, err error) {
	if len(raw) > maxToken {
		return c, token.ErrMalformed
	}
	t, err := jwt.ParseSigned(raw, algorithms)
	if err == nil {
		err = t.UnsafeClaimsWithoutVerification(&c)
	}
	if err == nil && (c.Expiry == nil || c.IssuedAt == nil) {
		err = token.ErrMalformed
	}
	return c, err
}

// keys are those that the cluster signs tokens with, kept for when it is away.
type keys struct {
	path string

	mu   sync.Mutex
	kept *keptKeys
	next time.Time
}

// keptKeys are the keys with the name of who signs: another cluster's token would
// else count, were its key ever among them.
type keptKeys struct {
	Issuer string             `json:"issuer"`
	Keys   jose.JSONWebKeySet `json:"keys"`
}

func newKeys(dir string) *keys { return &keys{path: filepath.Join(dir, "token", "cluster.json")} }

// keysEvery is how often the cluster is asked for its keys: it announces new ones
// long before it signs with them.
const keysEvery = 10 * time.Minute

// refresh asks the cluster for its keys, if they are old.
func (k *keys) refresh(config *rest.Config, log *slog.Logger) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if time.Now().Before(k.next) {
		return
	}
	k.next = time.Now().Add(keysEvery)
	kept, err := fetchKeys(config)
	if err == nil {
		k.kept = kept
		err = k.write()
	}
	if err != nil {
		k.next = time.Now().Add(keysEvery / 20)
		log.Warn("the cluster's keys could not be kept: while it is away, no token will count", "error", err)
	}
}

func (k *keys) write() error {
	data, err := json.Marshal(k.kept)
	if err != nil {
		return err
	}
	if err := state.Dir(filepath.Dir(k.path)); err != nil {
		return err
	}
	return state.Write(k.path, data)
}

func fetchKeys(config *rest.Config) (*keptKeys, error) {
	c, err := client(config, schema.GroupVersion{Version: "v1"})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), reviewTimeout)
	defer cancel()
	out := &keptKeys{}
	for _, from := range []struct {
		path string
		into any
	}{{"/.well-known/openid-configuration", out}, {"/openid/v1/jwks", &out.Keys}} {
		data, err := c.Get().AbsPath(from.path).SetHeader("Accept", "application/json, application/jwk-set+json").DoRaw(ctx)
		if err == nil {
			err = json.Unmarshal(data, from.into)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", from.path, err)
		}
	}
	if out.Issuer == "" || len(out.Keys.Keys) == 0 {
		return nil, errors.New("the cluster tells no keys")
	}
	return out, nil
}

// known are the keys, of the state folder where nothing was fetched yet.
func (k *keys) known() (*keptKeys, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.kept != nil {
		return k.kept, nil
	}
	data, err := state.Read(k.path)
	if err != nil {
		return nil, err
	}
	kept := &keptKeys{}
	if err := json.Unmarshal(data, kept); err != nil {
		return nil, err
	}
	k.kept = kept
	return kept, nil
}

// offline judges a token while the API server does not answer: by the cluster's
// signature, by what it is bound to, and by the last that was known of its pod. It
// counts up to the grace past its end, since no kubelet can get a newer one.
func (t *Tokens) offline(raw string, now time.Time) (*review, error) {
	grace := time.Duration(t.grace.Load())
	if grace < 0 {
		return nil, ErrOffline
	}
	kept, err := t.keys.known()
	if err != nil {
		return nil, fmt.Errorf("%w: its keys are not known: %w", ErrOffline, err)
	}
	parsed, err := jwt.ParseSigned(raw, algorithms)
	if err != nil {
		return nil, token.ErrMalformed
	}
	var said claims
	if err := parsed.Claims(kept.Keys, &said); err != nil {
		return nil, fmt.Errorf("%w: it is not signed by the cluster's keys", ErrOffline)
	}
	k := said.Kubernetes
	switch {
	case said.Issuer != kept.Issuer:
		return nil, fmt.Errorf("%w: it is issued by %q", ErrOffline, said.Issuer)
	case !said.has(token.Audience):
		return nil, token.ErrAudience
	case said.Expiry == nil || said.IssuedAt == nil || k.Account.Name == "" || k.Pod.Name == "" || k.Pod.UID == "" || k.Node.Name == "" || k.Node.UID == "":
		return nil, ErrUnbound
	case said.NotBefore != nil && now.Before(said.NotBefore.Time()):
		return nil, token.ErrEarly
	}
	r := t.accepted(said)
	r.offline = true
	r.claims.Expires = r.claims.Expires.Add(grace)
	if !had(t.opts.Catalog(), r.claims) {
		return nil, fmt.Errorf("%w: pod %s of %s is not among those known last", ErrOffline, r.claims.Workload, r.claims.Identity.Short())
	}
	return r, nil
}

// had tells whether a snapshot has a workload of that name and identity.
func had(s *catalog.Snapshot, c token.Claims) bool {
	return s != nil && slices.ContainsFunc(s.Workloads, func(w catalog.Workload) bool {
		return w.Name == c.Workload && w.Identity == c.Identity
	})
}
