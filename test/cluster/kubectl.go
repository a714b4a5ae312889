package cluster

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Names of the images that Load puts into the node: of this tree, and of the Envoy that
// it pins.
const (
	MeshcImage = "meshc.test/meshc:1"
	EnvoyImage = "meshc.test/envoy:1"
	AppImage   = "meshc.test/app:1"
)

// Kubectl runs kubectl on the cluster; input is its standard input.
func (c *Cluster) Kubectl(ctx context.Context, input string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(c.Dir, "bin", "kubectl"), append([]string{"--kubeconfig", c.Kubeconfig}, args...)...)
	cmd.Stdin = strings.NewReader(input)
	return output(cmd)
}

// Load builds meshc and the application of tests into a folder, and loads their images
// and Envoy's; it gives the path of meshc.
func (c *Cluster) Load(ctx context.Context, dir string) (string, error) {
	envoy, err := c.envoy()
	if err != nil {
		return "", err
	}
	meshc, app := filepath.Join(dir, "meshc"), filepath.Join(dir, "app")
	load := filepath.Join(c.Root, "test", "cluster", "load")
	for _, line := range [][]string{
		{"go", "build", "-C", c.Root, "-ldflags", "-s -w", "-o", meshc, "./cmd/meshc"},
		{"go", "build", "-C", c.Root, "-o", app, "./test/cluster/app"},
		{load, c.Dir, MeshcImage, meshc + "=/usr/local/bin/meshc", "--", "/usr/local/bin/meshc"},
		{load, c.Dir, EnvoyImage, envoy + "=/usr/local/bin/envoy", "--", "/usr/local/bin/envoy"},
		{load, c.Dir, AppImage, app + "=/usr/local/bin/app", "--", "/usr/local/bin/app"},
	} {
		cmd := exec.CommandContext(ctx, line[0], line[1:]...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if _, err := output(cmd); err != nil {
			return "", err
		}
	}
	return meshc, nil
}

// envoy is the Envoy that the tree pins, or that MESHC_ENVOY names.
func (c *Cluster) envoy() (string, error) {
	if p := os.Getenv("MESHC_ENVOY"); p != "" {
		return p, nil
	}
	p, err := filepath.EvalSymlinks(filepath.Join(c.Root, ".cache", "envoy", "envoy"))
	if err != nil {
		return "", fmt.Errorf("there is no Envoy, run make envoy: %w", err)
	}
	return p, nil
}

// output is what a program writes; what it complains of goes into the error.
func output(cmd *exec.Cmd) (string, error) {
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s: %w\n%s", strings.Join(append([]string{filepath.Base(cmd.Path)}, cmd.Args[1:]...), " "), err, said.String())
	}
	return out.String(), nil
}
