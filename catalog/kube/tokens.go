package kube

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
	authn "k8s.io/api/authentication/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/catalog/token"
	"github.com/meshc/meshc/compiler/ir"
)

// Why a projected token does not count.
var (
	ErrUnbound  = errors.New("the token is bound to no pod: it must be projected into one, with audience " + token.Audience)
	ErrRefused  = errors.New("the cluster does not accept the token")
	ErrPod      = errors.New("the token's pod does not run as the token says")
	ErrOffline  = errors.New("the cluster does not answer, and the token does not count without it")
	errNoAnswer = errors.New("the cluster does not answer")
)

// TokenOptions are of Tokens; Config, TrustDomain, State and Catalog are required.
type TokenOptions struct {
	Config      *rest.Config
	TrustDomain string
	// State is a folder; the keys of the cluster are kept in it.
	State string
	// Grace is how long past its end a token counts while the API server is away;
	// 0: only until then, negative: it never counts without the API server.
	Grace time.Duration
	// Catalog is what runs, as it is known. A Pod that it knows must be the token's.
	Catalog func() *catalog.Snapshot
	// Pods is the provider, where there is one by now: it knows more than a snapshot.
	Pods func() *Provider
	// Degraded is told that the API server is away, and with "" that it is back.
	Degraded func(reason string)
	Log      *slog.Logger // slog.Default()
}

// Tokens judges the tokens that kubelets project into pods, by TokenReview. What was
// reviewed counts while the token lives and its pod does.
type Tokens struct {
	opts   TokenOptions
	client *rest.RESTClient
	keys   *keys
	flight singleflight.Group

	grace    atomic.Int64 // a time.Duration, as in TokenOptions
	mu       sync.Mutex
	reviewed map[string]*review // by Claims.ID, a digest of the token
	swept    time.Time
	away     *time.Timer // of the next look whether the API server is back, nil while it is there
}

// review is a token that was accepted.
type review struct {
	claims  token.Claims
	ends    time.Time // the token itself, without grace
	uid     string    // of its pod
	account string    // the uid of its account
	node    string    // that it runs on
	offline bool      // nobody but its signature said so
	seen    bool      // the catalog had the pod since
	known   bool      // the catalog had the account since
}

// NewTokens makes a judge; it does not ask the cluster yet.
func NewTokens(opts TokenOptions) (*Tokens, error) {
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	c, err := client(opts.Config, authn.SchemeGroupVersion)
	if err != nil {
		return nil, fmt.Errorf("tokens of the cluster: %w", err)
	}
	t := &Tokens{opts: opts, client: c, keys: newKeys(opts.State), reviewed: map[string]*review{}}
	t.SetGrace(opts.Grace)
	return t, nil
}

// SetGrace is TokenOptions.Grace from now on. A stream that is open keeps the end that
// it was let in with.
func (t *Tokens) SetGrace(d time.Duration) { t.grace.Store(int64(d)) }

// IsProjected tells whether a token says that a Kubernetes cluster made it. It
// proves nothing: it only picks who judges.
func IsProjected(raw string) bool {
	c, err := unproven(raw)
	return err == nil && c.Kubernetes.Namespace != ""
}

// Verify judges a token at the time now.
func (t *Tokens) Verify(raw string, now time.Time) (token.Claims, error) {
	said, err := unproven(raw)
	switch {
	case err != nil:
		return token.Claims{}, token.ErrMalformed
	case !said.has(token.Audience):
		return token.Claims{}, token.ErrAudience
	case said.Kubernetes.Pod.Name == "" || said.Kubernetes.Pod.UID == "":
		return token.Claims{}, ErrUnbound
	}
	sum := sha256.Sum256([]byte(raw))
	id := hex.EncodeToString(sum[:16])
	if r := t.known(id, now); r != nil {
		return r.claims, t.runs(r)
	}
	made, err, _ := t.flight.Do(id, func() (any, error) {
		r, err := t.review(raw, said)
		if errors.Is(err, errNoAnswer) {
			t.degrade(err.Error())
			r, err = t.offline(raw, now)
		} else {
			t.degrade("")
		}
		if err == nil {
			r.claims.ID = id
		}
		return r, err
	})
	if err != nil {
		return token.Claims{}, err
	}
	r := made.(*review)
	if !now.Before(r.claims.Expires) {
		return token.Claims{}, fmt.Errorf("%w: of %s", token.ErrExpired, r.claims.Identity.Short())
	}
	if err := t.runs(r); err != nil {
		return token.Claims{}, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reviewed[id] = r
	return r.claims, nil
}

// known is what the API server said of a token that still lives. Ended ones are
// forgotten now and then.
func (t *Tokens) known(id string, now time.Time) *review {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now.Sub(t.swept) > time.Minute {
		t.swept = now
		maps.DeleteFunc(t.reviewed, func(_ string, r *review) bool { return !now.Before(r.claims.Expires) })
	}
	if r := t.reviewed[id]; r != nil && !r.offline && now.Before(r.ends) {
		return r
	}
	return nil
}

// Revoked tells whether a token's identity has ended: its pod or its account is gone,
// or is another.
func (t *Tokens) Revoked(c token.Claims) (bool, error) {
	t.mu.Lock()
	r := t.reviewed[c.ID]
	t.mu.Unlock()
	return r != nil && t.runs(r) != nil, nil
}

// runs holds a token against the pods and accounts that are known. One that the watch
// has not told yet may be there: the API server has just said so.
func (t *Tokens) runs(r *review) error {
	var p *Provider
	if t.opts.Pods != nil {
		p = t.opts.Pods()
	}
	if p == nil || !p.own.synced() {
		return nil
	}
	held, there, _ := p.own.stores["pods"].GetStore().GetByKey(r.claims.Workload) // stores in memory do not fail
	account, accountThere, _ := p.own.stores["serviceaccounts"].GetStore().GetByKey(r.claims.Identity.Short())
	t.mu.Lock()
	defer t.mu.Unlock()
	if accountThere && string(account.(*core.ServiceAccount).UID) != r.account || !accountThere && r.known {
		return fmt.Errorf("%w: account %s is gone, or is another one", ErrPod, r.claims.Identity.Short())
	}
	r.known = r.known || accountThere
	if !there {
		if r.seen {
			return fmt.Errorf("%w: pod %s is gone", ErrPod, r.claims.Workload)
		}
		return nil
	}
	pod := held.(*core.Pod)
	if string(pod.UID) != r.uid || pod.Spec.NodeName != r.node {
		return fmt.Errorf("%w: pod %s is another one, or elsewhere", ErrPod, r.claims.Workload)
	}
	r.seen = true
	return nil
}

// reviewTimeout bounds one question to the API server.
const reviewTimeout = 5 * time.Second

// review asks the API server. The error is errNoAnswer where it gave none.
func (t *Tokens) review(raw string, said claims) (*review, error) {
	ctx, cancel := context.WithTimeout(context.Background(), reviewTimeout)
	defer cancel()
	out := &authn.TokenReview{}
	err := t.client.Post().Resource("tokenreviews").Body(&authn.TokenReview{
		Spec: authn.TokenReviewSpec{Token: raw, Audiences: []string{token.Audience}},
	}).VersionedParams(&meta.CreateOptions{}, meta.ParameterCodec).Do(ctx).Into(out)
	switch {
	case err == nil:
	case answered(err):
		return nil, fmt.Errorf("the cluster lets us review no tokens: %w", err)
	default:
		return nil, fmt.Errorf("%w: %w", errNoAnswer, err)
	}
	t.keys.refresh(t.opts.Config, t.opts.Log)
	if !out.Status.Authenticated {
		return nil, fmt.Errorf("%w: %s", ErrRefused, out.Status.Error)
	}
	// An API server that knows nothing of audiences leaves them out.
	if len(out.Status.Audiences) != 1 || out.Status.Audiences[0] != token.Audience {
		return nil, token.ErrAudience
	}
	return t.proven(out.Status.User, said)
}

// What an API server tells of a token beside its user.
const (
	extraPod  = "authentication.kubernetes.io/pod-name"
	extraUID  = "authentication.kubernetes.io/pod-uid"
	extraNode = "authentication.kubernetes.io/node-name"
)

// proven holds what the API server says of a token against what it says itself.
func (t *Tokens) proven(user authn.UserInfo, said claims) (*review, error) {
	names := strings.Split(user.Username, ":")
	if len(names) != 4 || names[0] != "system" || names[1] != "serviceaccount" {
		return nil, fmt.Errorf("%w: %q is no service account", ErrRefused, user.Username)
	}
	k := said.Kubernetes
	one := func(extra string) string {
		if v := user.Extra[extra]; len(v) == 1 {
			return v[0]
		}
		return ""
	}
	if one(extraPod) == "" || one(extraUID) == "" || one(extraNode) == "" {
		return nil, ErrUnbound
	}
	if names[2] != k.Namespace || names[3] != k.Account.Name || one(extraPod) != k.Pod.Name || one(extraUID) != k.Pod.UID || one(extraNode) != k.Node.Name {
		return nil, fmt.Errorf("%w: it says otherwise than the cluster", ErrRefused)
	}
	return t.accepted(said), nil
}

// accepted is what a token says once it is proven.
func (t *Tokens) accepted(said claims) *review {
	k := said.Kubernetes
	return &review{uid: k.Pod.UID, account: k.Account.UID, node: k.Node.Name, ends: said.Expiry.Time(), claims: token.Claims{
		Identity: ir.NewIdentity(t.opts.TrustDomain, k.Namespace, k.Account.Name), Workload: k.Namespace + "/" + k.Pod.Name,
		Issued: said.IssuedAt.Time(), Expires: said.Expiry.Time(),
	}}
}
