//go:build e2e

package e2e

import (
	"context"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/meshc/meshc/test/cluster"
	"github.com/meshc/meshc/test/cluster/app/load"
)

// previous is the build that is upgraded from: the commit of which the first `make e2e`
// passed as a whole, so that whatever fails is of the way up. It moves to the last
// release once there is one.
const previous = "48bd913"

// previousImage is its image.
const previousImage = "meshc.test/meshc:previous"

// A control plane of an earlier build is replaced while requests run; its proxies are
// served by the new one, and then replaced, too.
func TestUpgrade(t *testing.T) {
	ours(t)
	old := build(t, previous)
	if err := world.LoadMeshc(t.Context(), previousImage, old); err != nil {
		t.Fatal(err)
	}
	program(t, old, "install", "--wait", "--set", "image="+previousImage+",envoyImage="+cluster.EnvoyImage+",imagePullPolicy=Never")
	t.Cleanup(func() { meshc(t, uninstall...) })
	shop(t)
	kubectl(t, "", "-n", "shop", "scale", "deployment", "web", "--replicas=2")
	pods(t, "shop")

	t.Run("plan", func(t *testing.T) { steady(t, false, planned) })
	t.Run("upgrade", func(t *testing.T) { steady(t, false, upgraded) })
	t.Run("nothing happens to old proxies", func(t *testing.T) { steady(t, false, served) })
	t.Run("old proxies follow policy", modes)
	t.Run("servers are restarted one by one", func(t *testing.T) {
		steady(t, false, func(t *testing.T) {
			rollout(t, "shop", "deployment/web")
			kubectl(t, "", "-n", "shop", "delete", "pod", "db-1") // requests go to db-0
			pods(t, "shop")
		})
	})
	t.Run("the server that requests go to by its name", func(t *testing.T) {
		steady(t, true, func(t *testing.T) {
			kubectl(t, "", "-n", "shop", "delete", "pod", "db-0")
			pods(t, "shop")
		})
	})
	rollout(t, "shop", "deployment/client", "deployment/stranger")
	t.Run("new proxies", func(t *testing.T) { steady(t, false, served) })
	for _, pod := range names(t, "shop") {
		if image := interceptor(t, pod); image != cluster.MeshcImage {
			t.Errorf("%s is intercepted by %s, want %s", pod, image, cluster.MeshcImage)
		}
	}
	if t.Failed() {
		out, _ := world.Kubectl(context.Background(), "", "-n", "meshc-system", "logs", "-l", "app.kubernetes.io/name=meshc-controller", "--tail=60", "--prefix")
		t.Logf("the control plane says:\n%s", out)
	}
}

// build makes meshc of an earlier commit and gives its path.
func build(t *testing.T, commit string) string {
	t.Helper()
	dir := t.TempDir()
	archive, tree, made := filepath.Join(dir, "tree.tar"), filepath.Join(dir, "tree"), filepath.Join(dir, "meshc")
	for _, line := range [][]string{
		{"git", "-C", world.Root, "archive", "-o", archive, commit}, // a clone without history lacks it
		{"mkdir", tree},
		{"tar", "-xf", archive, "-C", tree},
		{"go", "build", "-C", tree, "-ldflags", "-s -w", "-o", made, "./cmd/meshc"},
	} {
		program(t, line[0], line[1:]...)
	}
	return made
}

// program runs a program of this machine.
func program(t *testing.T, path string, args ...string) string {
	t.Helper()
	out, err := exec.Command(path, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(path), strings.Join(args, " "), err, out)
	}
	return string(out)
}

const newImage = "image=" + cluster.MeshcImage

// planned holds that a plan names what would change, and changes nothing.
func planned(t *testing.T) {
	before := controllerPods(t)
	plan := meshc(t, "upgrade", "--plan", "--set", newImage)
	t.Logf("the plan:\n%s", plan)
	for _, want := range []string{"meshc-controller", strconv.Quote(previousImage) + " -> " + strconv.Quote(cluster.MeshcImage), "what proxies would be sent"} {
		if !strings.Contains(plan, want) {
			t.Errorf("the plan does not tell %q", want)
		}
	}
	if after := controllerPods(t); after != before {
		t.Errorf("a plan changed the control plane from %s to %s", before, after)
	}
}

func controllerPods(t *testing.T) string {
	t.Helper()
	return kubectl(t, "", "-n", "meshc-system", "get", "pods", "-l", "app.kubernetes.io/name=meshc-controller", "-o", "jsonpath={range .items[*]}{.metadata.name}={.spec.containers[0].image} {end}")
}

func upgraded(t *testing.T) {
	t.Logf("%s", meshc(t, "upgrade", "--wait", "--set", newImage))
	until(t, "replicas are of the new build alone", func() bool {
		all := strings.Fields(controllerPods(t))
		for _, pod := range all {
			if !strings.HasSuffix(pod, "="+cluster.MeshcImage) {
				return false
			}
		}
		return len(all) == 2
	})
	for _, pod := range names(t, "shop") {
		if image := interceptor(t, pod); image != previousImage {
			t.Errorf("%s was intercepted by %s, want still %s", pod, image, previousImage)
		}
	}
}

// served waits until every proxy is connected and has what it is to have.
func served(t *testing.T) {
	allConnected(t)
	going := start(t, "shop", "deploy/client", load.Flow{Name: "again", Request: asked.granted[0].Request, Burst: 200})
	for _, tally := range going.end() {
		only(t, tally, "reached")
	}
}

// interceptor is the image of meshc that a pod started with.
func interceptor(t *testing.T, pod string) string {
	t.Helper()
	return kubectl(t, "", "-n", "shop", "get", "pod", pod, "-o", `jsonpath={.spec.initContainers[?(@.name=="meshc-init")].image}`)
}
