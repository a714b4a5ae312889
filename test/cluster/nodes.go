package cluster

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// script runs one of this folder's scripts on the cluster.
func (c *Cluster) script(ctx context.Context, name string, args ...string) error {
	_, err := output(exec.CommandContext(ctx, filepath.Join(c.Root, "test", "cluster", name), append([]string{c.Dir}, args...)...))
	return err
}

// LoadMeshc puts a program into every node, as the image NAME:TAG of meshc.
func (c *Cluster) LoadMeshc(ctx context.Context, image, program string) error {
	return c.script(ctx, "load", image, program+"=/usr/local/bin/meshc", "--", "/usr/local/bin/meshc")
}

// Join adds a node by its number, from 2 on: meshc-2, with the images of the first.
func (c *Cluster) Join(ctx context.Context, number int) error {
	err := c.script(ctx, "join", strconv.Itoa(number))
	if err != nil {
		err = errors.Join(err, c.Leave(context.WithoutCancel(ctx), number))
	}
	return err
}

// Leave takes away a node that Join added.
func (c *Cluster) Leave(ctx context.Context, number int) error {
	return c.script(ctx, "leave", strconv.Itoa(number))
}

// first is the number of the first node's first process.
func (c *Cluster) first() (string, error) {
	text, err := os.ReadFile(filepath.Join(c.Dir, "state", "node.pid"))
	return strings.TrimSpace(string(text)), err
}

// OnNode is a program that runs in the first node's namespaces, where the cluster's own
// programs are found by name.
func (c *Cluster) OnNode(ctx context.Context, args ...string) (*exec.Cmd, error) {
	pid, err := c.first()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "nsenter", append([]string{"-t", pid, "-m", "-n", "-p", "env", "PATH=" + filepath.Join(c.Dir, "bin") + ":" + os.Getenv("PATH")}, args...)...)
	return cmd, nil
}

// NodePath is a path of the first node's file system, as this machine reaches it.
func (c *Cluster) NodePath(path string) (string, error) {
	pid, err := c.first()
	return filepath.Join("/proc", pid, "root", path), err
}

// Away ends a part of the first node (apiserver, kubelet, proxy, scheduler,
// controller-manager) at once. It stays away until the function that it gives.
func (c *Cluster) Away(part string) (back func() error, err error) {
	path, err := c.NodePath("/run/" + part + ".away")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		return nil, err
	}
	return func() error { return os.Remove(path) }, nil
}
