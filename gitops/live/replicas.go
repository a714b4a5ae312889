package live

import (
	"context"
	"encoding/json"
	"maps"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// A replica knows its own proxies alone. Each says in a ConfigMap how many these are,
// so that the leader can say it of all.
const (
	replicaEvery = time.Second      // at most
	replicaAlive = 30 * time.Second // at least
	replicaGone  = 3 * replicaAlive // since it said so last
	replicaKind  = "replica"        // value of labelAccepted
)

func replicaMap(self string) string { return "meshc-replica-" + self }

// tellReplica writes what this replica serves, when that is other than it wrote last.
func (w *writer) tellReplica(ctx context.Context) {
	if time.Since(w.said.at) < replicaEvery {
		return
	}
	now := said(w.opts.Proxies())
	if maps.Equal(now, w.said.is) && time.Since(w.said.at) < replicaAlive {
		return
	}
	w.said.at = time.Now() // also when it fails: the next try is not at once
	data := map[string]any{"at": w.said.at.UTC().Format(time.RFC3339)}
	for key, text := range now {
		data[key] = text
	}
	name := replicaMap(w.opts.Self)
	_, err := w.client.do(ctx, verbs.patch, w.memory.path(name), mergePatch, map[string]any{"data": data})
	if apierrors.IsNotFound(err) {
		_, err = w.client.do(ctx, verbs.post, w.memory.path(""), asJSON, map[string]any{
			"apiVersion": "v1", "kind": "ConfigMap", "data": data,
			"metadata": map[string]any{"name": name, "namespace": w.memory.namespace, "labels": map[string]any{labelAccepted: replicaKind, "app.kubernetes.io/part-of": "meshc"}},
		})
	}
	if err != nil {
		w.Live.opts.Log.Debug("this replica could not say how many proxies it has", "error", err)
		return
	}
	w.said.is = now
}

// said are proxies as a replica says them: numbers for who looks, and those of each
// identity for the leader.
func said(p Proxies) map[string]string {
	n := p.count(nil)
	by, _ := json.Marshal(p.Of) // texts and numbers always marshal, and in order
	return map[string]string{
		"digest": p.Digest, "connected": strconv.Itoa(n.Connected), "acknowledged": strconv.Itoa(n.Acknowledged), "identities": string(by),
	}
}

// forget takes away what this replica said, as it ends.
func (w *writer) forget() {
	ctx, cancel := context.WithTimeout(context.Background(), leaseEvery)
	defer cancel()
	_, _ = w.client.do(ctx, verbs.del, w.memory.path(replicaMap(w.opts.Self)), "", nil) // what is left goes with its age
}

// proxies are those of all replicas. One that serves another policy than this one
// counts as having told nobody yet.
func (w *writer) proxies() Proxies {
	own := w.opts.Proxies()
	store, ok := w.stores[memoryStore]
	if !ok {
		return own
	}
	out := Proxies{Digest: own.Digest, Of: maps.Clone(own.Of)}
	if out.Of == nil {
		out.Of = map[string]Count{}
	}
	for _, o := range store.GetStore().List() {
		u := o.(*unstructured.Unstructured)
		data, _, _ := unstructured.NestedStringMap(u.Object, "data")
		at, err := time.Parse(time.RFC3339, data["at"])
		if u.GetLabels()[labelAccepted] != replicaKind || u.GetName() == replicaMap(w.opts.Self) || err != nil || time.Since(at) > replicaGone {
			continue
		}
		out.add(data)
	}
	return out
}

// add counts what another replica said.
func (p *Proxies) add(data map[string]string) {
	var by map[string]Count
	same := json.Unmarshal([]byte(data["identities"]), &by) == nil && data["digest"] == p.Digest
	if !same {
		p.silent++
	}
	for id, n := range by {
		sum := p.Of[id]
		sum.Connected += n.Connected
		if same {
			sum.Acknowledged += n.Acknowledged
		}
		p.Of[id] = sum
	}
}
