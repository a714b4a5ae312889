package cluster_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// patience is how long a pod may take on a busy machine.
const patience = 3 * time.Minute

// images are what tests run, made of this tree.
const (
	meshcImage = "meshc.test/meshc:1"
	envoyImage = "meshc.test/envoy:1"
	appImage   = "meshc.test/app:1"
)

// kubectl runs kubectl on the cluster; input is its standard input.
func kubectl(input string, args ...string) (string, error) {
	cmd := exec.Command(filepath.Join(world.dir, "bin", "kubectl"), append([]string{"--kubeconfig", world.kubeconfig}, args...)...)
	cmd.Stdin = strings.NewReader(input)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return out.String(), &failure{strings.Join(args, " "), err, said.String()}
	}
	return out.String(), nil
}

type failure struct {
	what string
	err  error
	said string
}

func (f *failure) Error() string { return "kubectl " + f.what + ": " + f.err.Error() + "\n" + f.said }

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

// build makes meshc and the test's application, and loads the images; it gives the
// path of meshc.
func build(t *testing.T) string {
	t.Helper()
	if world.skip != "" {
		t.Skip(world.skip)
	}
	dir := t.TempDir()
	meshc, app := filepath.Join(dir, "meshc"), filepath.Join(dir, "app")
	command(t, "go", "build", "-o", meshc, "../../cmd/meshc")
	command(t, "go", "build", "-o", app, "./app")
	command(t, "./load", world.dir, meshcImage, meshc+"=/usr/local/bin/meshc")
	command(t, "./load", world.dir, envoyImage, envoy(t)+"=/usr/local/bin/envoy")
	command(t, "./load", world.dir, appImage, app+"=/usr/local/bin/app", "--", "/usr/local/bin/app")
	return meshc
}

func envoy(t *testing.T) string {
	t.Helper()
	if p := os.Getenv("MESHC_ENVOY"); p != "" {
		return p
	}
	p, err := filepath.Abs("../../.cache/envoy/envoy")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(p); err != nil {
		t.Fatal("there is no Envoy: run make envoy")
	}
	return p
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
