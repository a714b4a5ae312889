//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/meshc/meshc/test/cluster"
	"github.com/meshc/meshc/test/cluster/app/load"
)

// patience is how long a thing may take on a busy machine.
const patience = 3 * time.Minute

// kubectl runs kubectl; input is its standard input.
func kubectl(t *testing.T, input string, args ...string) string {
	t.Helper()
	out, err := world.Kubectl(context.Background(), input, args...) // clean-ups outlive the test's context
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// meshc runs meshc.
func meshc(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command(world.meshc, args...)
	cmd.Dir = world.Root
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("meshc %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// until looks again until it is so.
func until(t *testing.T, what string, ok func() bool) time.Duration {
	t.Helper()
	start := time.Now()
	for ; time.Since(start) < patience; time.Sleep(20 * time.Millisecond) {
		if ok() {
			return time.Since(start)
		}
	}
	t.Fatalf("not so in %s: %s", patience, what)
	return 0
}

// ours skips what needs the cluster that `make e2e` starts: its node, or the way from its
// pods to this machine. On that one nothing is skipped.
func ours(t *testing.T) {
	t.Helper()
	if world.Foreign {
		t.Skip("needs a node within reach, as the cluster that make e2e starts has; this one is KUBECONFIG's")
	}
}

// install puts the mesh into the cluster; the test's end takes it out.
func install(t *testing.T) {
	t.Helper()
	meshc(t, "install", "--wait", "--set", "image="+cluster.MeshcImage+",envoyImage="+cluster.EnvoyImage+",imagePullPolicy=Never")
	t.Cleanup(func() {
		if t.Failed() {
			out, _ := world.Kubectl(context.Background(), "", "-n", "meshc-system", "logs", "-l", "app.kubernetes.io/name=meshc-controller", "--tail=40", "--prefix")
			t.Logf("the control plane says:\n%s", out)
		}
		meshc(t, uninstall...)
	})
}

// uninstall takes all of it away, policy included.
var uninstall = []string{"uninstall", "--delete-all", "--wait"}

// example is a path of the Kubernetes example.
func example(words ...string) string {
	return filepath.Join(append([]string{world.Root, "examples", "09-kubernetes"}, words...)...)
}

// namespaces makes namespaces of the mesh, which end with the test.
func namespaces(t *testing.T, names ...string) {
	t.Helper()
	for _, n := range names {
		kubectl(t, "", "create", "namespace", n)
		t.Cleanup(func() { kubectl(t, "", "delete", "namespace", n, "--timeout=3m") })
	}
	meshc(t, append([]string{"namespace", "add"}, names...)...)
}

// pods waits until the pods of namespaces are ready.
func pods(t *testing.T, names ...string) {
	t.Helper()
	for _, n := range names {
		for _, kind := range []string{"deployment", "statefulset"} {
			for _, name := range strings.Fields(kubectl(t, "", "-n", n, "get", kind, "-o", "name")) {
				kubectl(t, "", "-n", n, "rollout", "status", name, "--timeout=3m")
			}
		}
	}
}

// fixture applies a file of testdata to shop until the test ends, and waits for its pods.
func fixture(t *testing.T, name string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	kubectl(t, "", "apply", "-f", path)
	t.Cleanup(func() { kubectl(t, "", "delete", "-f", path, "--timeout=3m") })
	pods(t, "shop")
}

// inside runs a program in the application's container of a workload.
func inside(t *testing.T, input, ns, target string, command ...string) string {
	t.Helper()
	return kubectl(t, input, append([]string{"-n", ns, "exec", "-i", target, "-c", "app", "--"}, command...)...)
}

// running is what goes on in a pod until it is ended.
type running struct {
	t    *testing.T
	who  string
	stop io.Closer
	out  bytes.Buffer
	said bytes.Buffer
	cmd  *exec.Cmd
}

// begin runs a verb of the application's program in a pod, until it is ended.
func begin(t *testing.T, ns, target, verb string, tasks any) *running {
	t.Helper()
	return feed(t, verb+" of "+ns+"/"+target, exec.CommandContext(t.Context(), "kubectl", "-n", ns, "exec", "-i", target, "-c", "app", "--", "app", verb), tasks)
}

// feed runs a command that runs the application's program in a pod.
func feed(t *testing.T, who string, cmd *exec.Cmd, tasks any) *running {
	t.Helper()
	r := &running{t: t, who: who, cmd: cmd}
	in, err := r.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	r.stop, r.cmd.Stdout, r.cmd.Stderr = in, &r.out, &r.said
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := json.NewEncoder(in).Encode(tasks); err != nil {
		t.Fatal(err)
	}
	return r
}

// done waits for its end, and reads what it tells.
func (r *running) done(told any) {
	r.t.Helper()
	if err := r.cmd.Wait(); err != nil {
		r.t.Fatalf("%s: %v\n%s", r.who, err, r.said.String())
	}
	if err := json.Unmarshal(r.out.Bytes(), told); err != nil {
		r.t.Fatalf("%s: %v\n%s", r.who, err, r.out.String())
	}
}

// stopped ends it, and reads what it tells.
func (r *running) stopped(told any) {
	r.t.Helper()
	if err := r.stop.Close(); err != nil {
		r.t.Fatal(err)
	}
	r.done(told)
}

// start asks flows from a pod until it is ended.
func start(t *testing.T, ns, target string, flows ...load.Flow) *running {
	t.Helper()
	return begin(t, ns, target, "load", flows)
}

// end stops asking and gives the counts, by the flow's name.
func (r *running) end() map[string]load.Tally {
	r.t.Helper()
	var tallies []load.Tally
	r.stopped(&tallies)
	return named(tallies)
}

func named(tallies []load.Tally) map[string]load.Tally {
	out := map[string]load.Tally{}
	for _, tally := range tallies {
		out[tally.Name] = tally
	}
	return out
}

// only holds that a flow met one kind of answer, and prints the figures. A connection that
// is cut reaches nobody either.
func only(t *testing.T, tally load.Tally, kind string) {
	t.Helper()
	n := map[string]int{"reached": tally.Reached, "refused": tally.Refused + tally.Cut}[kind]
	t.Logf("%-28s %5d requests: %5d reached, %5d refused, %d broken", tally.Name, tally.Sent, tally.Reached, tally.Refused, tally.Broken)
	if tally.Sent == 0 || n != tally.Sent {
		for _, e := range tally.Examples {
			if e.Kind != kind {
				t.Errorf("%s: %s at %s: %s", tally.Name, e.Kind, e.At.Format("15:04:05.000"), e.What)
			}
		}
		t.Errorf("%s: of %d requests %d were %s, want all", tally.Name, tally.Sent, n, kind)
	}
}

// try runs meshc, which may refuse.
func try(args ...string) (string, error) {
	cmd := exec.Command(world.meshc, args...)
	cmd.Dir = world.Root
	out, err := cmd.CombinedOutput()
	return string(out), err
}
