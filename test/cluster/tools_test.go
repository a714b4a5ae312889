package cluster_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// patience is how long a pod may take on a busy machine.
const patience = 3 * time.Minute

// kubectl runs kubectl on the cluster; input is its standard input.
func kubectl(input string, args ...string) (string, error) {
	return world.Kubectl(context.Background(), input, args...) // clean-ups run after the test's own context
}

func must(t *testing.T, input string, args ...string) string {
	t.Helper()
	out, err := kubectl(input, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// until looks again until it is so.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("not so: %s", what)
}

// command runs a program of this machine.
func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, said.String())
	}
	return out.String()
}

// build makes meshc and loads the images; it gives the path of meshc.
func build(t *testing.T) string {
	t.Helper()
	if skip != "" {
		t.Skip(skip)
	}
	meshc, err := world.Load(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return meshc
}

// pod is what tests look at.
type pod struct {
	Status struct {
		Phase      string
		PodIPs     []struct{ IP string }
		Conditions []struct{ Type, Status string }

		ContainerStatuses     []status
		InitContainerStatuses []status
	}
}

type status struct {
	Name         string
	Ready        bool
	RestartCount int
}

func look(t *testing.T, name string) pod {
	t.Helper()
	var p pod
	if err := json.Unmarshal([]byte(must(t, "", "-n", "shop", "get", "pod", name, "-o", "json")), &p); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p pod) ready() bool {
	for _, c := range p.Status.Conditions {
		if c.Type == "Ready" {
			return c.Status == "True"
		}
	}
	return false
}

func (p pod) restarts(container string) int {
	for _, s := range append(p.Status.ContainerStatuses, p.Status.InitContainerStatuses...) {
		if s.Name == container {
			return s.RestartCount
		}
	}
	return -1
}
