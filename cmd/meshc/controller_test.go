package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/meshc/meshc/test/cluster/apiserver"
	"github.com/meshc/meshc/xds/server"
)

// controller runs a control plane until the test stops it.
type controller struct {
	t     *testing.T
	admin string
	stop  func()
}

func startController(t *testing.T, api *apiserver.Server, state string) *controller {
	c := &controller{t: t, admin: freeAddress(t)}
	ctx, stop := context.WithCancel(t.Context())
	var log bytes.Buffer
	ended := make(chan int, 1)
	args := []string{"controller", "--kubeconfig", api.Kubeconfig(), "--state", state, "--listen", "127.0.0.1:0", "--admin", c.admin}
	go func() { ended <- run(ctx, args, streams{Out: io.Discard, Err: &log}) }()
	c.stop = sync.OnceFunc(func() {
		stop()
		if code := <-ended; code != exitClean {
			t.Errorf("exit %d:\n%s", code, &log)
		}
	})
	t.Cleanup(c.stop)
	return c
}

// ready waits until it serves, and gives what it says of itself.
func (c *controller) ready() server.Status {
	c.t.Helper()
	var status server.Status
	for deadline := time.Now().Add(time.Minute); !status.Ready; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			c.t.Fatal("it was never ready")
		}
		if resp, err := http.Get("http://" + c.admin + "/status"); err == nil {
			_ = json.NewDecoder(resp.Body).Decode(&status) // the next answer may be better
			_ = resp.Body.Close()
		}
	}
	return status
}

// An empty cluster, without even the definitions of the mesh's kinds, has a control
// plane: install needs one that comes up before anything is there. Once it has served,
// its process may end and begin anew while the API server is away.
func TestControllerServesAnEmptyClusterAndOneThatIsAway(t *testing.T) {
	api, state := apiserver.New(t), t.TempDir()
	c := startController(t, api, state)
	if status := c.ready(); status.Bundle.Mesh != "mesh" {
		t.Errorf("it serves %+v", status.Bundle)
	}
	c.stop()
	api.Stop()
	c = startController(t, api, state)
	status := c.ready()
	if len(status.Degraded) == 0 {
		t.Error("nobody is told that what is served is not the newest")
	}
	api.Start()
	for deadline := time.Now().Add(time.Minute); len(status.Degraded) > 0; status = c.ready() {
		if time.Now().After(deadline) {
			t.Fatalf("it is degraded for ever: %+v", status.Degraded)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
