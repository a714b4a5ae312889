package upkeep

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// WebhooksSecret holds the certificate of the webhooks and what signs it, in the
// control plane's namespace.
const WebhooksSecret = "meshc-webhooks"

// The configurations whose caBundles are kept, and the definitions with a converter.
const (
	ValidateConfiguration = "meshc-validate"
	InjectConfiguration   = "meshc-inject"
)

// WebhookOptions are of OpenWebhooks. Hosts are required.
type WebhookOptions struct {
	// Hosts are what API servers call: the Service's names.
	Hosts []string
	// Folder has tls.crt, tls.key and ca.crt that somebody else keeps, as cert-manager
	// does: nothing is made then. Without a ca.crt the caBundles are left alone. Empty:
	// certificates are made here.
	Folder string
	// Definitions are those whose conversion calls us.
	Definitions []string
	// Authority, Serving and Settle are lives of what is made, and how long a change of
	// it rests between its steps: two years, 90 days, a minute.
	Authority, Serving, Settle time.Duration
}

// Webhooks keeps the certificate that webhooks serve with, and what API servers trust
// it by.
type Webhooks struct {
	keeper  *Keeper
	opts    WebhookOptions
	lives   lives
	serving atomic.Pointer[served]
	folder  *folder
	secret  *store
	targets []target
}

// served is what is served with, and what must be trusted for it.
type served struct {
	cert   tls.Certificate
	bundle []byte
}

// OpenWebhooks keeps certificates while the keeper runs. Before it returns there is one
// to serve with, but where the API server is away: nobody calls then.
func (k *Keeper) OpenWebhooks(ctx context.Context, opts WebhookOptions) (*Webhooks, error) {
	w := &Webhooks{keeper: k, opts: opts, lives: lives{opts.Authority, opts.Serving, opts.Settle}.withDefaults()}
	l := k.loop("webhooks", w.work)
	nudge := func(*unstructured.Unstructured) { l.nudge() }
	if opts.Folder != "" {
		w.folder = &folder{dir: opts.Folder, now: k.opts.Now}
		if _, err := w.folder.read(); err != nil {
			return nil, fmt.Errorf("certificates of webhooks: %w", err)
		}
	} else {
		var err error
		if w.secret, err = k.watch(secrets, k.opts.Namespace, WebhooksSecret, nil, nudge); err != nil {
			return nil, err
		}
		if err := w.begin(ctx); err != nil && !passing(err) {
			return nil, fmt.Errorf("certificates of webhooks: %w", err)
		} else if err != nil {
			k.degraded("webhooks", err)
		}
	}
	for _, t := range w.all() {
		var err error
		if t.store, err = k.watch(t.of, "", t.name, nil, nudge); err != nil {
			return nil, err
		}
		w.targets = append(w.targets, t)
	}
	return w, nil
}

// GetCertificate is a tls.Config.GetCertificate.
func (w *Webhooks) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if w.folder != nil {
		s, err := w.folder.read()
		if err != nil {
			return nil, err
		}
		return &s.cert, nil
	}
	if s := w.serving.Load(); s != nil {
		return &s.cert, nil
	}
	return nil, errors.New("there is no certificate yet")
}

// Trusted tells whether all that calls us is told to trust what we serve with: until
// then a replica is of no use to API servers.
func (w *Webhooks) Trusted() error {
	var bundle []byte
	if w.folder != nil {
		s, err := w.folder.read()
		if err != nil || len(s.bundle) == 0 {
			return err
		}
		bundle = s.bundle
	} else if s := w.serving.Load(); s != nil {
		bundle = s.bundle
	} else {
		return errors.New("there is no certificate of webhooks yet")
	}
	for _, t := range w.targets {
		if o := t.store.one("", t.name); o != nil && !t.has(o, bundle) {
			return fmt.Errorf("the caBundle of %s %s does not lead to the certificate of webhooks yet", t.of.kind, t.name)
		}
	}
	return nil
}

// begin serves with the Secret's certificate; of replicas that begin together one makes it.
func (w *Webhooks) begin(ctx context.Context) error {
	for {
		o, err := w.keeper.get(ctx, secrets, w.keeper.opts.Namespace, WebhooksSecret)
		if err != nil {
			return err
		}
		if o == nil {
			if o, err = w.make(ctx); errors.Is(err, errConflict) {
				continue
			} else if err != nil {
				return err
			}
		}
		m, err := read(o)
		if err == nil {
			w.serve(m)
			return nil
		}
		if err := w.renew(ctx, o, err); err != nil && !errors.Is(err, errConflict) {
			return err
		}
	}
}

func (w *Webhooks) serve(m material) {
	w.serving.Store(&served{m.serving, m.bundle})
}

func read(o *unstructured.Unstructured) (material, error) {
	data, err := secretData(o)
	if err != nil {
		return material{}, err
	}
	return readMaterial(data)
}

func (w *Webhooks) make(ctx context.Context) (*unstructured.Unstructured, error) {
	data, err := w.fresh()
	if err != nil {
		return nil, err
	}
	return w.keeper.create(ctx, secrets, w.keeper.opts.Namespace, WebhooksSecret, map[string]any{"type": "Opaque", "data": encoded(data, nil)})
}

// renew replaces what cannot serve: nothing that is trusted is lost by that.
func (w *Webhooks) renew(ctx context.Context, was *unstructured.Unstructured, why error) error {
	w.keeper.opts.Log.Warn("the certificate of webhooks is damaged; it is made anew", "secret", WebhooksSecret, "reason", why)
	data, err := w.fresh()
	if err != nil {
		return err
	}
	return w.write(ctx, was, data)
}

func (w *Webhooks) write(ctx context.Context, was *unstructured.Unstructured, data map[string][]byte) error {
	old, err := secretData(was)
	if err != nil {
		old = nil
	}
	_, err = w.keeper.merge(ctx, secrets, was, map[string]any{"data": encoded(data, old)})
	return err
}

// work serves what the Secret holds, moves it on in time, and keeps the caBundles.
func (w *Webhooks) work(ctx context.Context) (time.Duration, error) {
	if w.folder != nil {
		s, err := w.folder.read()
		if err == nil && len(s.bundle) > 0 {
			err = w.spread(ctx, s.bundle)
		}
		return folderLook, err
	}
	if !w.secret.HasSynced() {
		return firstRetry, nil
	}
	o := w.secret.one(w.keeper.opts.Namespace, WebhooksSecret)
	if o == nil {
		_, err := w.make(ctx)
		return firstRetry, err
	}
	m, err := read(o)
	if err != nil {
		if w.keeper.opts.Leading() {
			return firstRetry, w.renew(ctx, o, err)
		}
		return firstRetry, fmt.Errorf("the Secret %s is damaged: %w", WebhooksSecret, err)
	}
	w.serve(m)
	if err := w.spread(ctx, m.bundle); err != nil {
		return 0, err
	}
	if !w.keeper.opts.Leading() {
		return leadLook, nil
	}
	again, data, err := w.turn(m)
	if err == nil && data != nil {
		err = w.write(ctx, o, data)
	}
	return again, err
}

// spread puts the bundle into all that calls us. Whoever finds one without any of our
// authorities mends it; only the leader changes one that still leads here.
func (w *Webhooks) spread(ctx context.Context, bundle []byte) error {
	var all error
	for _, t := range w.targets {
		if !t.store.HasSynced() {
			continue
		}
		o := t.store.one("", t.name)
		if o == nil || t.has(o, bundle) || !w.keeper.opts.Leading() && t.leads(o, bundle) {
			continue
		}
		_, err := w.keeper.merge(ctx, t.of, o, t.change(o, bundle))
		if err != nil && !errors.Is(err, errConflict) {
			all = errors.Join(all, fmt.Errorf("the caBundle of %s %s: %w", t.of.kind, t.name, err))
		}
	}
	return all
}

// equal tells whether a bundle is the other one.
func equal(a, b []byte) bool { return bytes.Equal(bytes.TrimSpace(a), bytes.TrimSpace(b)) }
