package live

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// The lease's times: whoever holds it renews it, and others take it when it was not
// renewed for as long as they watched it.
const (
	leaseFor   = 15 * time.Second
	leaseEvery = 3 * time.Second
	leaseName  = "meshc-controller"
)

// lease makes one replica the leader: the one that writes. A leader that cannot reach
// the API server stops being one before another begins.
type lease struct {
	client    *client
	namespace string
	self      string
	log       *slog.Logger
	held      *atomic.Bool

	last    string // the last renewal that was seen, of another
	since   time.Time
	renewed time.Time // the last of our own
}

func (l *lease) path(name string) []string {
	out := []string{"/apis", "coordination.k8s.io", "v1", "namespaces", l.namespace, "leases"}
	if name != "" {
		out = append(out, name)
	}
	return out
}

// run holds or awaits the lease until ctx ends, then gives it back.
func (l *lease) run(ctx context.Context, won func()) {
	tick := time.NewTicker(leaseEvery)
	defer tick.Stop()
	for {
		had := l.held.Load()
		asking, cancel := context.WithTimeout(ctx, leaseEvery)
		ok, err := l.try(asking)
		cancel()
		if err != nil && ctx.Err() == nil {
			l.log.Debug("the lease of the leader", "error", err)
			ok = had && time.Since(l.renewed) < leaseFor-2*leaseEvery
		}
		l.held.Store(ok)
		if ok && !had {
			l.log.Info("this replica leads: it writes status and events", "lease", l.namespace+"/"+leaseName)
			won()
		} else if had && !ok {
			l.log.Warn("this replica leads no more")
		}
		select {
		case <-ctx.Done():
			l.release()
			return
		case <-tick.C:
		}
	}
}

// try renews or takes the lease. The answer is whether it is held.
func (l *lease) try(ctx context.Context) (bool, error) {
	now := time.Now()
	u, err := l.client.do(ctx, verbs.get, l.path(leaseName), "", nil)
	if apierrors.IsNotFound(err) {
		_, err = l.client.do(ctx, verbs.post, l.path(""), asJSON, l.object(nil, l.self, now))
		return l.took(err, now)
	}
	if err != nil {
		return false, err
	}
	holder, _, _ := unstructured.NestedString(u.Object, "spec", "holderIdentity")
	renewal, _, _ := unstructured.NestedString(u.Object, "spec", "renewTime")
	if holder != l.self && holder != "" {
		if renewal != l.last {
			l.last, l.since = renewal, now
		}
		if now.Sub(l.since) < leaseFor {
			return false, nil
		}
	}
	_, err = l.client.do(ctx, verbs.put, l.path(leaseName), asJSON, l.object(u, l.self, now))
	return l.took(err, now)
}

func (l *lease) took(err error, now time.Time) (bool, error) {
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
		return false, nil // another was quicker
	}
	if err == nil {
		l.renewed = now
	}
	return err == nil, err
}

// object is the lease held by somebody, on the version that was read.
func (l *lease) object(u *unstructured.Unstructured, holder string, now time.Time) map[string]any {
	meta := map[string]any{"name": leaseName, "namespace": l.namespace, "labels": map[string]any{"app.kubernetes.io/part-of": "meshc"}}
	spec := map[string]any{"holderIdentity": holder, "leaseDurationSeconds": int64(leaseFor / time.Second), "renewTime": now.UTC().Format("2006-01-02T15:04:05.000000Z07:00")}
	if u != nil {
		meta["resourceVersion"] = u.GetResourceVersion()
	}
	return map[string]any{"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta, "spec": spec}
}

// release lets another replica lead at once.
func (l *lease) release() {
	if !l.held.Swap(false) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), leaseEvery)
	defer cancel()
	u, err := l.client.do(ctx, verbs.get, l.path(leaseName), "", nil)
	if err == nil {
		_, err = l.client.do(ctx, verbs.put, l.path(leaseName), asJSON, l.object(u, "", time.Now()))
	}
	if err != nil {
		l.log.Debug("the lease could not be given back", "error", err)
	}
}
