package lab

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/lab/caller"
)

// tree is testdata in memory, with replacements in shop.yaml.
func tree(t *testing.T, replace ...string) *source.Tree {
	t.Helper()
	files := map[string][]byte{}
	for _, name := range []string{"shop.yaml", "verdicts.yaml"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		text := string(data)
		for i := 0; i+1 < len(replace); i += 2 {
			text = strings.ReplaceAll(text, replace[i], replace[i+1])
		}
		files[name] = []byte(text)
	}
	return source.FromMap(files)
}

// up brings testdata up in a folder of its own.
func up(t *testing.T, opts Options) *Lab {
	t.Helper()
	if testing.Short() {
		t.Skip("runs real Envoys")
	}
	if opts.Tree == nil {
		opts.Tree = tree(t)
	}
	if opts.Dir == "" {
		opts.Dir = runtimeDir(t)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	l, err := Up(ctx, opts)
	if err != nil {
		t.Fatal(explain(err))
	}
	t.Cleanup(func() { l.Down() })
	return l
}

// explain shows the findings of a refusal.
func explain(err error) string {
	var refused *Refused
	if !errors.As(err, &refused) {
		return err.Error()
	}
	text := err.Error()
	for _, f := range refused.Findings {
		text += "\n" + f.At().String() + ": " + f.Message
	}
	return text
}

// TestMeshLive is a life of a lab: its tables hold, a policy is changed under
// running Envoys, and nothing is left behind.
func TestMeshLive(t *testing.T) {
	interfaces, mounts := hostInterfaces(t), hostMounts(t)
	l := up(t, Options{})
	checkTables(t, l)

	t.Run("both families", func(t *testing.T) {
		for _, family := range []string{"4", "6"} {
			got := sendOne(t, l, "shop/client", caller.Request{Address: "web:80", Family: family, Path: "/read/1"})
			if got.Status != 200 || !strings.Contains(got.Body, `"caller": "spiffe://cluster.local/ns/shop/sa/client"`) {
				t.Errorf("over IPv%s the client is not served as itself: %+v", family, got)
			}
		}
	})
	t.Run("pod names", func(t *testing.T) {
		got := sendOne(t, l, "shop/client", caller.Request{Address: "db-1.db:3306", Kind: caller.ServerFirst})
		if !strings.HasPrefix(got.Body, "db-1 of shop/db") {
			t.Errorf("a pod of a headless service is not reached by its name: %+v", got)
		}
	})
	t.Run("websocket and gRPC", func(t *testing.T) {
		for _, kind := range []caller.Kind{caller.WebSocket, caller.GRPC} {
			path, id := "/read/ws", "shop/client"
			if kind == caller.GRPC {
				// gRPC is POST, which the client may not.
				path = "/read.Books/Get"
			}
			got := sendOne(t, l, id, caller.Request{Address: "web:80", Kind: kind, Path: path, Body: "hello"})
			if kind == caller.WebSocket && got.Body != "hello" {
				t.Errorf("no WebSocket through the proxies: %+v", got)
			}
			if kind == caller.GRPC && header(got, "Grpc-Status") != "7" {
				t.Errorf("a gRPC call that no grant covers must end with PermissionDenied: %+v", got)
			}
			// A gRPC client shows this and never the body of a 403.
			if said := header(got, "Grpc-Message"); kind == caller.GRPC && !(strings.HasPrefix(said, "no grant lets ") && strings.Contains(said, "meshc can ")) {
				t.Errorf("a gRPC client that is refused is told %q, not what it lacks", said)
			}
		}
	})
	t.Run("exec", func(t *testing.T) { testExec(t, l) })
	t.Run("Envoy killed", func(t *testing.T) { testKill(t, l) })
	t.Run("policy changed live", func(t *testing.T) { testChange(t, l) })
	t.Run("matrix", func(t *testing.T) {
		compiled, live, err := l.Matrix(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if len(live.From) < 6 || len(live.To) < 6 {
			t.Errorf("the matrix has only %d rows and %d columns", len(live.From), len(live.To))
		}
		for i, row := range live.Cells {
			for j, cell := range row {
				if want := compiled.Cells[i][j]; !slices.Equal(cell.Outcomes, want.Outcomes) {
					t.Errorf("%s to %s: compiled %v, the Envoys say %v", live.From[i].Short(), live.To[j], want.Outcomes, cell.Outcomes)
				}
			}
		}
	})
	dir, machine := l.claim.dir, l.ground.box.Pid()
	if err := l.Down(); err != nil {
		t.Fatal(err)
	}
	checkNothingLeft(t, dir, machine, interfaces, mounts)
}

func checkTables(t *testing.T, l *Lab) {
	t.Helper()
	report, err := l.Test(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range report.Cases {
		for _, fault := range c.Faults {
			t.Errorf("%s: %s", c.Name, fault)
		}
	}
	if len(report.Cases) != 9 {
		t.Errorf("%d of 9 cases were run", len(report.Cases))
	}
}

// sendOne sends one request from a client of an identity.
func sendOne(t *testing.T, l *Lab, id string, r caller.Request) caller.Result {
	t.Helper()
	identity, _ := ir.ParseIdentity("cluster.local", id)
	from, err := l.client(ir.Request{From: identity})
	if err != nil {
		t.Fatal(err)
	}
	results, err := l.ground.send(from.ID(), caller.Batch{Requests: []caller.Request{r}})
	if err != nil {
		t.Fatal(err)
	}
	return results[0]
}

// testExec runs programs in pods through the lab's control socket, as another
// process does.
func testExec(t *testing.T, l *Lab) {
	remote := &Remote{l.claim.dir}
	run := func(pod string, args ...string) (string, int) {
		t.Helper()
		read, write, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer read.Close()
		null, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer null.Close()
		code, err := remote.Exec(pod, args, null, write, write)
		write.Close()
		if err != nil {
			t.Fatal(err)
		}
		out, err := io.ReadAll(read)
		if err != nil {
			t.Fatal(err)
		}
		return string(out), code
	}
	out, code := run("client", "/bin/sh", "-c", "hostname; cat /etc/resolv.conf; exit 7")
	if code != 7 || !strings.HasPrefix(out, "client-0\n") || !strings.Contains(out, "search shop.svc.cluster.local") {
		t.Errorf("a program does not find itself in the pod: exit %d, %q", code, out)
	}
	if out, _ := run("shop/db/1", "/bin/sh", "-c", "hostname"); out != "db-1\n" {
		t.Errorf("WORKLOAD/N does not find the replica: %q", out)
	}
	if _, err := remote.Exec("nobody", []string{"true"}, os.Stdin, os.Stdout, os.Stderr); err == nil || !strings.Contains(err.Error(), "shop/client-0") {
		t.Errorf("a workload that does not exist must be answered with those that do: %v", err)
	}
	log, err := os.ReadFile(filepath.Join(l.Log(), "shop.job-0.command.log"))
	if err != nil || string(log) != "shop/job-0 started\n" {
		t.Errorf("the workload's own command was not run with its environment: %q, %v", log, err)
	}
}

// testChange takes the client's grant away, gives it to the thief, and puts all
// back; a tree with errors changes nothing.
func testChange(t *testing.T, l *Lab) {
	read := func(id string) int {
		return sendOne(t, l, id, caller.Request{Address: "web-v1:80", Path: "/read/1"}).Status
	}
	before := l.Compiled().Mesh
	if err := l.Apply(tree(t, "{kind: ServiceAccount, name: client, namespace: shop}", "{kind: ServiceAccount, name: thief, namespace: shop}")); err != nil {
		t.Fatal(explain(err))
	}
	if c, th := read("shop/client"), read("shop/thief"); c != 403 || th != 200 {
		t.Errorf("after the grants went over to the thief the client is answered %d and the thief %d", c, th)
	}
	differences := Differences(before, l.Compiled().Mesh)
	if len(differences) != 10 {
		t.Errorf("the change should read as ten differences, five lost and five gained: %v", differences)
	}
	if err := l.Apply(tree(t, "pathRegex: \"/read.*\"", "pathRegex: \"/read(\"")); !errors.As(err, new(*Refused)) {
		t.Errorf("a tree with an error must be refused, got %v", err)
	}
	if th := read("shop/thief"); th != 200 {
		t.Errorf("a refused tree changed the mesh: the thief is answered %d", th)
	}
	if err := l.Apply(tree(t, "replicas: 2", "replicas: 1")); err != nil {
		t.Fatal(explain(err))
	}
	if c, th := read("shop/client"), read("shop/thief"); c != 200 || th != 403 {
		t.Errorf("after the grants came back the client is answered %d and the thief %d", c, th)
	}
	if _, err := l.Topology().Find("shop/db/1"); err == nil {
		t.Error("the second replica still runs after the manifest asked for one")
	}
}

func hostInterfaces(t *testing.T) []string {
	t.Helper()
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, i := range all {
		names = append(names, i.Name)
	}
	return names
}

func hostMounts(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// checkNothingLeft looks for what a lab could leave on its host.
func checkNothingLeft(t *testing.T, dir string, machine int, interfaces []string, mounts string) {
	t.Helper()
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the runtime folder is still there: %v", err)
	}
	if now := hostInterfaces(t); !slices.Equal(now, interfaces) {
		t.Errorf("interfaces were %v and are %v", interfaces, now)
	}
	if now := hostMounts(t); now != mounts {
		t.Errorf("mounts were\n%s\nand are\n%s", mounts, now)
	}
	if left := labProcesses(t, machine); len(left) > 0 {
		t.Errorf("processes are left: %v", left)
	}
}

// labProcesses are the processes of the sandbox whose first process is given: all
// that share none of our network and descend from it or are named after a lab's
// roles and were started by this test's process.
func labProcesses(t *testing.T, machine int) []string {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		status, err := os.ReadFile(filepath.Join("/proc", e.Name(), "environ"))
		if err != nil || !bytes.Contains(status, []byte("MESHC_LAB_TEST="+testMark)) {
			continue
		}
		line, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		if bytes.HasPrefix(line, []byte("meshc-lab-")) || bytes.Contains(line, []byte("envoy")) {
			out = append(out, e.Name()+" "+string(bytes.ReplaceAll(line, []byte{0}, []byte{' '})))
		}
	}
	return out
}
