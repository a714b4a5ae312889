//go:build e2e

package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/meshc/meshc/test/cluster"
)

// world is the cluster of the run, with meshc of this tree.
var world struct {
	*cluster.Cluster
	meshc string // path of the program
}

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := session(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// session never skips: what is missing is said, and fails.
func session(m *testing.M) (code int, err error) {
	c, end, err := cluster.Start()
	if err != nil {
		return 1, err
	}
	defer func() {
		if broken := end(); broken != nil {
			code, err = 1, broken
		}
	}()
	world.Cluster = c
	dir, err := os.MkdirTemp("", "meshc-e2e-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	// What the README's commands find: meshc and kubectl by their names.
	if err := os.Symlink(c.Program("kubectl"), filepath.Join(dir, "kubectl")); err != nil {
		return 1, err
	}
	if world.meshc, err = c.Load(context.Background(), dir); err != nil {
		return 1, err
	}
	// A busy machine that misses one beat of a websocket's heart would lose an exec for good.
	for name, value := range map[string]string{"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "false", "KUBECONFIG": c.Kubeconfig, "PATH": dir + ":" + os.Getenv("PATH"), "NO_COLOR": "1"} {
		if err := os.Setenv(name, value); err != nil {
			return 1, err
		}
	}
	return m.Run(), nil
}
