package upkeep_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/meshc/meshc/catalog/ca"
	"github.com/meshc/meshc/deploy/upkeep"
	"github.com/meshc/meshc/test/cluster/apiserver"
)

const own = "meshc-system"

type object = map[string]any

// cluster is an API server with a control plane's namespace.
type cluster struct {
	*apiserver.Server
	t  *testing.T
	as string // whom replicas are, the administrator if empty
}

func begin(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{Server: apiserver.New(t), t: t}
	c.namespace(own, nil)
	return c
}

func (c *cluster) namespace(name string, labels object) {
	c.t.Helper()
	c.Do(http.MethodPost, "/api/v1/namespaces", object{"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": name, "labels": labels}})
}

// patch merges into an object.
func (c *cluster) patch(path string, change object) {
	c.t.Helper()
	var was object
	if err := json.Unmarshal(c.Do(http.MethodGet, path, nil), &was); err != nil {
		c.t.Fatal(err)
	}
	merge(was, change)
	c.Do(http.MethodPut, path, was)
}

func merge(into, change object) {
	for k, v := range change {
		was, okWas := into[k].(object)
		now, okNow := v.(object)
		switch {
		case okWas && okNow:
			merge(was, now)
		case v == nil:
			delete(into, k)
		default:
			into[k] = v
		}
	}
}

func (c *cluster) until(what string, try func() error) {
	c.t.Helper()
	var err error
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if err = try(); err == nil {
			return
		}
	}
	c.t.Fatalf("not so: %s: %v", what, err)
}

// data is that of a Secret or a ConfigMap; nil if there is none.
func (c *cluster) data(path string) map[string]string {
	raw, err := c.Try(http.MethodGet, path, nil)
	if err != nil {
		return nil
	}
	var o struct{ Data map[string]string }
	if err := json.Unmarshal(raw, &o); err != nil {
		c.t.Fatal(err)
	}
	return o.Data
}

// replica is a control plane's upkeep that runs until it is stopped.
type replica struct {
	*upkeep.Keeper
	dir   string
	leads atomic.Bool
	mu    sync.Mutex
	wrong map[string]string
	stop  func()
}

func (c *cluster) replica(leads bool, dir string) *replica {
	c.t.Helper()
	r := &replica{dir: dir, wrong: map[string]string{}}
	r.leads.Store(leads)
	config := rest.CopyConfig(c.Config)
	config.Impersonate.UserName = c.as
	var err error
	r.Keeper, err = upkeep.New(upkeep.Options{Config: config, Namespace: own, Leading: r.leads.Load,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Degraded: func(what, reason string) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.wrong[what] = reason
		}})
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

// run keeps until stop, which waits, or until the test ends.
func (r *replica) run(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { r.Run(ctx) })
	r.stop = func() { cancel(); done.Wait() }
	t.Cleanup(r.stop)
}

func (r *replica) says(what string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.wrong[what]
}

const (
	caPath    = "/api/v1/namespaces/" + own + "/secrets/" + upkeep.AuthoritySecret
	hooksPath = "/api/v1/namespaces/" + own + "/secrets/" + upkeep.WebhooksSecret
)

func (c *cluster) authority(r *replica) *ca.Authority {
	c.t.Helper()
	a, err := r.OpenAuthority(c.t.Context(), r.dir, ca.Options{Settle: 100 * time.Millisecond})
	if err != nil {
		c.t.Fatal(err)
	}
	return a
}

// Replicas that begin together have one root; a rotation goes through all of them; a
// Secret that is deleted comes back, and one that is spoilt or another's never counts.
func TestReplicasShareTheAuthority(t *testing.T) {
	c := begin(t)
	all := []*replica{c.replica(true, t.TempDir()), c.replica(false, t.TempDir()), c.replica(false, t.TempDir())}
	authorities := make([]*ca.Authority, len(all))
	var group sync.WaitGroup
	for i, r := range all {
		group.Go(func() { authorities[i] = c.authority(r) })
	}
	group.Wait()
	agree := func() error {
		for _, a := range authorities {
			if !bytes.Equal(a.Roots(), authorities[0].Roots()) {
				return errors.New("replicas trust different roots")
			}
		}
		return nil
	}
	if err := agree(); err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		r.run(t)
	}
	first := authorities[0].Roots()

	t.Run("rotation", func(t *testing.T) {
		if _, err := all[0].EditAuthority(t.Context(), func(dir string) (ca.Description, error) {
			return ca.Rotate(dir, ca.Options{}, ca.RotateOptions{})
		}); err != nil {
			t.Fatal(err)
		}
		c.until("every replica has heard of it", func() error {
			for _, a := range authorities {
				if _, _, _, ok := a.Rotation(); !ok {
					return errors.New("one has not")
				}
			}
			return nil
		})
		c.until("the new root has replaced the old one everywhere", func() error {
			under := false
			for _, a := range authorities {
				if turn, _, _, ok := a.Rotation(); ok {
					under = true
					_ = a.Report(turn, nil, nil) // of two at once one is refused, and comes again
				}
			}
			if under || bytes.Contains(authorities[0].Roots(), first) {
				return errors.New("it is under way")
			}
			return agree()
		})
	})

	now := authorities[0].Roots()
	t.Run("deleted", func(t *testing.T) {
		c.Do(http.MethodDelete, caPath, nil)
		c.until("it is made again", func() error {
			if c.data(caPath)["root.pem"] == "" {
				return errors.New("it is not there")
			}
			return agree()
		})
		if !bytes.Equal(authorities[1].Roots(), now) {
			t.Error("with another root")
		}
	})
	t.Run("spoilt", func(t *testing.T) {
		good := c.data(caPath)["root.pem"]
		c.patch(caPath, object{"data": object{"root.pem": "bm8gcm9vdAo="}})
		c.until("both say so", func() error {
			for _, r := range all {
				if !strings.Contains(r.says("authority"), "damaged") {
					return fmt.Errorf("%q", r.says("authority"))
				}
			}
			return nil
		})
		if !bytes.Equal(authorities[2].Roots(), now) {
			t.Error("a spoilt Secret counts")
		}
		if late := c.replica(false, t.TempDir()); true {
			if _, err := late.OpenAuthority(t.Context(), late.dir, ca.Options{}); err == nil {
				t.Error("a replica without a copy begins with a damaged authority")
			}
		}
		c.patch(caPath, object{"data": object{"root.pem": good}})
		c.until("it is well again", func() error {
			if says := all[0].says("authority") + all[1].says("authority"); says != "" {
				return errors.New(says)
			}
			return nil
		})
	})
	t.Run("another's", func(t *testing.T) {
		other := t.TempDir()
		if _, err := ca.Open(other, ca.Options{}); err != nil {
			t.Fatal(err)
		}
		files, err := ca.Collect(other, false)
		if err != nil {
			t.Fatal(err)
		}
		data := object{"lineage": nil}
		for name, text := range files {
			data[name] = []byte(text) // in base64, as JSON writes bytes
		}
		c.patch(caPath, object{"data": data})
		c.until("it is refused", func() error {
			if says := all[1].says("authority"); !strings.Contains(says, "another authority") {
				return fmt.Errorf("%q", says)
			}
			return nil
		})
		if !bytes.Equal(authorities[1].Roots(), now) {
			t.Error("a stranger's root counts")
		}
		c.Do(http.MethodDelete, caPath, nil) // and whoever deletes it gets ours back
		c.until("ours is back", func() error {
			if says := all[1].says("authority"); says != "" || c.data(caPath) == nil {
				return fmt.Errorf("%q", says)
			}
			return nil
		})
	})
}
