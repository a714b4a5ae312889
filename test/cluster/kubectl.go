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
	cmd := exec.CommandContext(ctx, c.Program("kubectl"), append([]string{"--kubeconfig", c.Kubeconfig}, args...)...)
	cmd.Stdin = strings.NewReader(input)
	return output(cmd)
}

// Program is the path of a program that was built with the cluster, or this machine's.
func (c *Cluster) Program(name string) string {
	built := filepath.Join(c.Dir, "bin", name)
	if _, err := os.Stat(built); err == nil {
		return built
	}
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	return built // whoever runs it says that it is not there
}

// Load builds meshc into a folder, and loads the images; it gives the path of meshc.
func (c *Cluster) Load(ctx context.Context, dir string) (string, error) {
	meshc := filepath.Join(dir, "meshc")
	for _, line := range [][]string{
		{"go", "build", "-C", c.Root, "-ldflags", "-s -w", "-o", meshc, "./cmd/meshc"},
		{filepath.Join(c.Root, "test", "cluster", "images"), c.Dir, meshc},
	} {
		if _, err := output(exec.CommandContext(ctx, line[0], line[1:]...)); err != nil {
			return "", err
		}
	}
	return meshc, nil
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
