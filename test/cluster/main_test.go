package cluster_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/meshc/meshc/test/cluster"
)

// world is the cluster of a run; skip says why there is none.
var (
	world *cluster.Cluster
	skip  string
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if testing.Short() {
		skip = "a cluster is not started in a short run"
		return m.Run()
	}
	c, end, err := cluster.Start()
	var none cluster.ErrNone
	switch {
	case errors.As(err, &none):
		skip = none.Error()
		return m.Run()
	case err != nil:
		fmt.Println(err)
		return 1
	}
	world = c
	code := m.Run()
	if err := end(); err != nil {
		fmt.Println(err)
		return 1
	}
	return code
}
