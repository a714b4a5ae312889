package cluster

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/meshc/meshc/test/repository"
)

// Cluster is the test cluster of a run: the one that `up` started on this machine, or
// one that is started for the run and ends with it.
type Cluster struct {
	Root       string // of the tree
	Dir        string // of up and down
	Kubeconfig string
	Foreign    bool // it is somebody's: its nodes are out of reach, and nothing of it starts or ends
}

// loader is the setting that hands the tests a cluster which they did not start, that of
// KUBECONFIG: a command that puts an image's archive, its last word, onto every node.
const loader = "E2E_LOAD"

// ErrNone says why there is no cluster.
type ErrNone string

func (e ErrNone) Error() string { return string(e) }

// Start finds or starts a cluster. The function that it gives ends what it started,
// and fails if that left anything behind. An ErrNone is what the machine lacks.
func Start() (*Cluster, func() error, error) {
	root, err := repository.Top()
	if err != nil {
		return nil, nil, err
	}
	cache := filepath.Join(root, ".cache", "cluster")
	_, missing := os.Stat(filepath.Join(cache, "bin", "portmap")) // the last of those that take long
	link, _ := net.InterfaceByName("meshc-cluster")
	c := &Cluster{Root: root, Dir: cache, Kubeconfig: filepath.Join(cache, "kubeconfig")}
	switch {
	case os.Getenv(loader) != "":
		if c.Kubeconfig, c.Foreign = os.Getenv("KUBECONFIG"), true; c.Kubeconfig == "" {
			return nil, nil, ErrNone(loader + " is for the cluster of KUBECONFIG, which is not set")
		}
		return c, func() error { return nil }, nil
	case missing != nil:
		return nil, nil, ErrNone("Kubernetes is not built: run make cluster-build")
	case link != nil:
		if _, err := os.Stat(c.Kubeconfig); err != nil {
			return nil, nil, ErrNone("another tree's cluster runs on this machine")
		}
		return c, func() error { return nil }, nil
	case os.Getuid() != 0:
		return nil, nil, ErrNone("a kubelet needs root")
	case lacking() != "":
		return nil, nil, ErrNone("a node needs " + lacking() + ", which is not installed here: see test/cluster/README.md")
	}
	before := traces()
	if err := c.fresh(); err != nil {
		return nil, nil, err
	}
	return c, func() error { return c.end(before) }, nil
}

// lacking is the first program of those that a node needs, and that no build makes.
func lacking() string {
	for _, program := range []string{"ip", "nft", "openssl", "runc", "unshare", "nsenter"} {
		if _, err := exec.LookPath(program); err != nil {
			return program
		}
	}
	return ""
}

// fresh starts a cluster in a folder of its own, of the binaries that are built.
func (c *Cluster) fresh() error {
	dir, err := os.MkdirTemp("", "meshc-cluster-")
	if err != nil {
		return err
	}
	if err := os.Symlink(filepath.Join(c.Dir, "bin"), filepath.Join(dir, "bin")); err != nil {
		return err
	}
	c.Dir, c.Kubeconfig = dir, filepath.Join(dir, "kubeconfig")
	cmd := exec.Command(filepath.Join(c.Root, "test", "cluster", "up"), dir)
	cmd.Env = append(os.Environ(), "KUBECONFIG=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("up: %w\n%s", err, out)
	}
	return nil
}

func (c *Cluster) end(before string) error {
	if out, err := exec.Command(filepath.Join(c.Root, "test", "cluster", "down"), c.Dir).CombinedOutput(); err != nil {
		return fmt.Errorf("down: %w\n%s", err, out)
	}
	if after := traces(); after != before {
		return fmt.Errorf("the cluster left something behind:\n--- before\n%s\n--- after\n%s", before, after)
	}
	return os.RemoveAll(c.Dir)
}

// traces is what a cluster could leave on a machine.
func traces() string {
	var b bytes.Buffer
	for _, c := range [][]string{
		{"ip", "-o", "link"}, {"ip", "route"}, {"ip", "-6", "route"}, {"nft", "list", "tables"}, {"cat", "/proc/mounts"},
		{"find", "/sys/fs/cgroup", "-maxdepth", "3", "-name", "k8s.io*"},
		{"ls", "-d", "/etc/kubernetes", "/etc/cni", "/opt/cni", "/var/lib/kubelet", "/var/lib/containerd", "/var/lib/cni", "/var/log/pods"},
		{"pgrep", "-l", "kubelet|kube-proxy|kube-controller|kube-scheduler|containerd|coredns|pause"}, // other tests run etcd and API servers
	} {
		out, _ := exec.Command(c[0], c[1:]...).Output() // what is not there leaves nothing
		fmt.Fprintf(&b, "$ %s\n", strings.Join(c, " "))
		for line := range strings.Lines(string(out)) {
			if c[0] == "cat" && !strings.Contains(line, "cluster") && !strings.Contains(line, "containerd") && !strings.Contains(line, "kubelet") {
				continue // others mount, too
			}
			if c[0] == "ip" && c[1] == "-o" && !strings.Contains(line, "meshc") && !strings.Contains(line, "veth") {
				continue // a lab's links come and go
			}
			b.WriteString(line)
		}
	}
	return b.String()
}
