package upkeep_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/meshc/meshc/catalog/ca"
	"github.com/meshc/meshc/deploy/upkeep"
)

func trustPath(namespace string) string {
	return "/api/v1/namespaces/" + namespace + "/configmaps/meshc-trust"
}

// Every namespace of the mesh has what proxies trust by, and no other has; what is
// changed or deleted comes back; a new root is in it beside the old one.
func TestNamespacesHaveTheTrustBundle(t *testing.T) {
	c := begin(t)
	c.namespace("shop", object{"meshc.dev/mesh": "mesh"})
	c.namespace("osm", object{"openservicemesh.io/monitored-by": "mesh"})
	c.namespace("other", object{"meshc.dev/mesh": "another"})
	c.namespace("plain", nil)
	var roots atomic.Value
	authority := func(names ...string) {
		var all string
		for range names {
			a, err := ca.Open(t.TempDir(), ca.Options{})
			if err != nil {
				t.Fatal(err)
			}
			all += string(a.Roots())
		}
		if old, ok := roots.Load().(string); ok {
			all = old + all
		}
		roots.Store(all)
	}
	authority("first")
	old := roots.Load().(string)
	open := func(r *replica, roots func() []byte) *upkeep.Trust {
		names, err := r.OpenNamespaces()
		if err != nil {
			t.Fatal(err)
		}
		trust, err := r.OpenTrust(names, upkeep.TrustOptions{Roots: roots, Mesh: func() string { return "mesh" }})
		if err != nil {
			t.Fatal(err)
		}
		r.run(t)
		return trust
	}
	leader, late := c.replica(true, ""), c.replica(false, "")
	trust := open(leader, func() []byte { return []byte(roots.Load().(string)) })
	open(late, func() []byte { return []byte(old) }) // it has not heard of a new root, and never will
	has := func(namespace string) func() error {
		return func() error {
			if got := c.data(trustPath(namespace)); got["ca.crt"] != roots.Load().(string) || got["secrets.json"] == "" || got["roots.json"] == "" {
				return fmt.Errorf("%s has %d keys", namespace, len(got))
			}
			return nil
		}
	}
	for _, ns := range []string{"shop", "osm"} {
		c.until(ns+" has it", has(ns))
	}
	if c.data(trustPath("other")) != nil || c.data(trustPath("plain")) != nil {
		t.Error("a namespace that is not the mesh's has it")
	}
	c.Do(http.MethodDelete, trustPath("shop"), nil)
	c.until("what was deleted is back", has("shop"))
	c.patch(trustPath("shop"), object{"data": object{"ca.crt": "mine", "more": "x"}})
	c.until("what was changed is as it was", func() error {
		if c.data(trustPath("shop"))["more"] != "" {
			return errors.New("it has more")
		}
		return has("shop")()
	})
	authority("second")
	for _, ns := range []string{"shop", "osm"} {
		c.until(ns+" trusts both roots", has(ns))
	}
	c.patch("/api/v1/namespaces/shop", object{"metadata": object{"labels": object{"meshc.dev/mesh": nil}}})
	c.until("who leaves the mesh has it no more", func() error {
		if c.data(trustPath("shop")) != nil {
			return errors.New("it is there")
		}
		return nil
	})
	if err := has("osm")(); err != nil { // the replica that is behind has had its chances
		t.Error("a replica that is behind took the new root out:", err)
	}
	t.Run("before the first pod", func(t *testing.T) {
		c.namespace("fresh", object{"meshc.dev/mesh": "mesh"})
		start := time.Now()
		if err := trust.Await(t.Context(), "fresh"); err != nil {
			t.Fatal(err)
		}
		waited := time.Since(start)
		if c.data(trustPath("fresh")) == nil {
			t.Error("it is not there")
		}
		c.until("it trusts both roots, whoever made it", has("fresh"))
		t.Logf("there after %s", waited)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := trust.Await(ctx, "plain"); err == nil {
			t.Error("a namespace that gets none is said to have one")
		}
	})
	t.Run("where somebody has one", func(t *testing.T) {
		c.namespace("taken", nil)
		theirs := object{"apiVersion": "v1", "kind": "ConfigMap", "metadata": object{"name": "meshc-trust"}, "data": object{"ca.crt": "mine"}}
		c.Do(http.MethodPost, strings.TrimSuffix(trustPath("taken"), "/meshc-trust"), theirs)
		c.patch("/api/v1/namespaces/taken", object{"metadata": object{"labels": object{"meshc.dev/mesh": "mesh"}}})
		c.until("it is said whose it is", func() error {
			if says := leader.says("trust"); !strings.Contains(says, "taken") || !strings.Contains(says, "somebody else") {
				return fmt.Errorf("%q", says)
			}
			return nil
		})
		c.until("a pod is told why it cannot come", func() error {
			if err := trust.Await(t.Context(), "taken"); err == nil || !strings.Contains(err.Error(), "rename") {
				return fmt.Errorf("%v", err)
			}
			return nil
		})
		if got := c.data(trustPath("taken")); got["ca.crt"] != "mine" || len(got) != 1 {
			t.Errorf("what is another's was changed to %v", got)
		}
		c.Do(http.MethodDelete, trustPath("taken"), nil)
		c.until("its place is taken when it is free", has("taken"))
	})
	t.Run("where there is no room", func(t *testing.T) {
		c.namespace("full", nil)
		c.Do(http.MethodPost, "/api/v1/namespaces/full/resourcequotas", object{"apiVersion": "v1", "kind": "ResourceQuota",
			"metadata": object{"name": "q"}, "spec": object{"hard": object{"count/configmaps": "0"}}})
		none := object{"count/configmaps": "0"}
		c.patch("/api/v1/namespaces/full/resourcequotas/q/status", object{"status": object{"hard": none, "used": none}}) // as its controller does
		c.patch("/api/v1/namespaces/full", object{"metadata": object{"labels": object{"meshc.dev/mesh": "mesh"}}})
		c.until("it is said why", func() error {
			if says := leader.says("trust"); !strings.Contains(says, "full") {
				return fmt.Errorf("%q", says)
			}
			return nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		if err := trust.Await(ctx, "full"); err == nil {
			t.Error("a pod may come")
		}
		c.Do(http.MethodDelete, trustPath("osm"), nil)
		c.until("others are kept all the same", has("osm"))
	})
}
