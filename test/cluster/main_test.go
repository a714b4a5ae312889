package cluster_test

import (
	"bytes"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// world is the cluster of a run: the one that `up` started on this machine, or one that
// is started for the run. skip says why there is none.
var world struct {
	dir        string // of up and down; empty: a cluster of somebody else's
	kubeconfig string
	skip       string
}

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	before := traces()
	started, err := start()
	if err != nil {
		fmt.Println(err)
		return 1
	}
	code := m.Run()
	if !started {
		return code
	}
	if out, err := exec.Command("./down", world.dir).CombinedOutput(); err != nil {
		fmt.Printf("down: %v\n%s", err, out)
		return 1
	}
	if after := traces(); after != before {
		fmt.Printf("the cluster left something behind:\n--- before\n%s\n--- after\n%s\n", before, after)
		return 1
	}
	if err := os.RemoveAll(world.dir); err != nil {
		fmt.Println(err)
		return 1
	}
	return code
}

// start finds or starts a cluster.
func start() (started bool, err error) {
	root, err := filepath.Abs("../..")
	if err != nil {
		return false, err
	}
	cache := filepath.Join(root, ".cache", "cluster")
	_, missing := os.Stat(filepath.Join(cache, "bin", "portmap")) // the last that is built
	link, _ := net.InterfaceByName("meshc-cluster")
	switch {
	case testing.Short():
		world.skip = "a cluster is not started in a short run"
	case missing != nil:
		world.skip = "Kubernetes is not built: run make cluster-build"
	case link != nil:
		world.dir, world.kubeconfig = cache, filepath.Join(cache, "kubeconfig")
		if _, err := os.Stat(world.kubeconfig); err != nil {
			world.skip = "another tree's cluster runs on this machine"
		}
	case os.Getuid() != 0:
		world.skip = "a kubelet needs root"
	case lacking() != "":
		world.skip = "a node needs " + lacking() + ", which is not installed here: see README.md"
	default:
		return true, fresh(cache)
	}
	return false, nil
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
func fresh(cache string) error {
	dir, err := os.MkdirTemp("", "meshc-cluster-")
	if err != nil {
		return err
	}
	if err := os.Symlink(filepath.Join(cache, "bin"), filepath.Join(dir, "bin")); err != nil {
		return err
	}
	world.dir, world.kubeconfig = dir, filepath.Join(dir, "kubeconfig")
	cmd := exec.Command("./up", dir)
	cmd.Env = append(os.Environ(), "KUBECONFIG=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("up: %w\n%s", err, out)
	}
	return nil
}

// traces is what a cluster could leave on a machine.
func traces() string {
	var b bytes.Buffer
	for _, c := range [][]string{
		{"ip", "-o", "link"}, {"ip", "route"}, {"ip", "-6", "route"}, {"nft", "list", "tables"}, {"cat", "/proc/mounts"},
		{"find", "/sys/fs/cgroup", "-maxdepth", "3", "-name", "k8s.io*"},
		{"ls", "-d", "/etc/kubernetes", "/etc/cni", "/opt/cni", "/var/lib/kubelet", "/var/lib/containerd", "/var/log/pods"},
		{"pgrep", "-l", "kubelet|kube-proxy|kube-controller|kube-scheduler|containerd|pause"}, // other tests run etcd and API servers
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
