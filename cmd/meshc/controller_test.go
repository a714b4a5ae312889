package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/meshc/meshc/test/cluster/apiserver"
	"github.com/meshc/meshc/xds/server"
)

// An empty cluster, without even the definitions of the mesh's kinds, has a control
// plane: install needs one that comes up before anything is there.
func TestControllerServesAnEmptyCluster(t *testing.T) {
	api := apiserver.New(t)
	admin := freeAddress(t)
	ctx, stop := context.WithCancel(t.Context())
	var log bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"controller", "--kubeconfig", api.Kubeconfig(), "--state", t.TempDir(), "--listen", "127.0.0.1:0", "--admin", admin}, streams{Out: io.Discard, Err: &log})
	}()
	defer func() {
		stop()
		if code := <-ended; code != exitClean {
			t.Errorf("exit %d:\n%s", code, &log)
		}
	}()
	var status server.Status
	for deadline := time.Now().Add(time.Minute); !status.Ready; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it was never ready")
		}
		if resp, err := http.Get("http://" + admin + "/status"); err == nil {
			_ = json.NewDecoder(resp.Body).Decode(&status) // the next answer may be better
			_ = resp.Body.Close()
		}
	}
	if status.Bundle.Mesh != "mesh" {
		t.Errorf("it serves %+v", status.Bundle)
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
