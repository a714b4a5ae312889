//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/lab/caller"
	"github.com/meshc/meshc/test/cluster/app/load"
)

// asked are the questions of a scenario: by an account that was granted them, by the
// same account beyond its grants, and by one that was granted nothing.
var asked = struct{ granted, beyond, stranger []load.Flow }{
	granted: []load.Flow{
		get("HTTP", "web.shop:80", "/ok"),
		burst(get("HTTP, kept connection", "web.shop:80", "/ok")),
		get("second service of the pods", "front.shop:8080", "/ok"),
		{Name: "gRPC", Request: caller.Request{Kind: caller.GRPC, Address: "web.shop:9000", Path: "/shop.Books/List", Body: "x"}},
		{Name: "WebSocket", Request: caller.Request{Kind: caller.WebSocket, Address: "web.shop:80", Path: "/ok", Body: "x"}},
		{Name: "TCP", Request: caller.Request{Kind: caller.TCP, Address: "web.shop:7000", Brief: true}},
		{Name: "TCP, server first", Request: caller.Request{Kind: caller.ServerFirst, Address: "web.shop:3306", Brief: true}},
		{Name: "StatefulSet, by its pod's name", Request: caller.Request{Kind: caller.TCP, Address: "db-0.db.shop:5432", Brief: true}},
	},
	beyond: []load.Flow{
		get("HTTP beyond the grant", "web.shop:80", "/no"),
		{Name: "gRPC beyond the grant", Request: caller.Request{Kind: caller.GRPC, Address: "web.shop:9000", Path: "/shop.Books/Burn", Body: "x"}},
		{Name: "TCP beyond the grant", Request: caller.Request{Kind: caller.TCP, Address: "web.shop:7001", Brief: true}},
	},
	stranger: []load.Flow{
		get("HTTP by a stranger", "web.shop:80", "/ok"),
		{Name: "gRPC by a stranger", Request: caller.Request{Kind: caller.GRPC, Address: "web.shop:9000", Path: "/shop.Books/List", Body: "x"}},
		{Name: "TCP by a stranger", Request: caller.Request{Kind: caller.TCP, Address: "web.shop:7000", Brief: true}},
		{Name: "server first by a stranger", Request: caller.Request{Kind: caller.ServerFirst, Address: "web.shop:3306", Brief: true}},
		{Name: "StatefulSet by a stranger", Request: caller.Request{Kind: caller.TCP, Address: "db-0.db.shop:5432", Brief: true}},
	},
}

func get(name, address, path string) load.Flow {
	return load.Flow{Name: name, Request: caller.Request{Address: address, Method: "GET", Path: path, Headers: []ir.Header{{Name: "host", Value: address}}}}
}

func burst(f load.Flow) load.Flow {
	f.Burst = 20
	return f
}

// Requests of every protocol go on while the mesh's operator does what operators do,
// and while things break: none is wrongly allowed, none wrongly refused.
func TestTraffic(t *testing.T) {
	install(t)
	namespaces(t, "shop")
	manifests, err := os.ReadFile("testdata/shop.yaml")
	if err != nil {
		t.Fatal(err)
	}
	kubectl(t, string(manifests), "apply", "-f", "-")
	pods(t, "shop")
	settled(t)
	step := func(name string, meanwhile func(*testing.T)) {
		t.Run(name, func(t *testing.T) { steady(t, false, meanwhile) })
	}
	step("nothing happens", func(*testing.T) { time.Sleep(10 * time.Second) }) // requests need time, nothing is waited for
	step("a replica of the controller is killed", func(t *testing.T) {
		pod := strings.Fields(kubectl(t, "", "-n", "meshc-system", "get", "pods", "-l", "app.kubernetes.io/name=meshc-controller", "-o", "name"))[0]
		kubectl(t, "", "-n", "meshc-system", "delete", pod, "--grace-period=0", "--force")
		kubectl(t, "", "-n", "meshc-system", "rollout", "status", "deployment", "meshc-controller", "--timeout=3m")
	})
	step("all replicas are restarted", func(t *testing.T) {
		kubectl(t, "", "-n", "meshc-system", "rollout", "restart", "deployment", "meshc-controller")
		kubectl(t, "", "-n", "meshc-system", "rollout", "status", "deployment", "meshc-controller", "--timeout=3m")
	})
	step("scaled up and down", func(t *testing.T) {
		for _, n := range []string{"4", "1", "3", "1"} {
			kubectl(t, "", "-n", "shop", "scale", "deployment", "web", "--replicas="+n)
			kubectl(t, "", "-n", "shop", "rollout", "status", "deployment", "web", "--timeout=3m")
		}
	})
	t.Run("permissive and back, twice", modes)
	t.Run("egress open and closed", egress)
	t.Run("an Envoy crashes", func(t *testing.T) {
		steady(t, true, func(t *testing.T) {
			was := restarts(t)
			crash(t)
			until(t, "the proxy is started again", func() bool { return restarts(t) > was })
			pods(t, "shop")
		})
	})
}

// crash kills a proxy of web as the kernel does.
func crash(t *testing.T) {
	t.Helper()
	id := kubectl(t, "", "-n", "shop", "get", "pods", "-l", "app=web", "-o", `jsonpath={.items[0].status.initContainerStatuses[?(@.name=="meshc-proxy")].containerID}`)
	_, id, ok := strings.Cut(id, "://")
	groups, err := filepath.Glob("/proc/[0-9]*/cgroup")
	if !ok || err != nil {
		t.Fatalf("no proxy runs: %q, %v", id, err)
	}
	for _, path := range groups {
		text, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(text), id) {
			continue // another's, or one that ended
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatalf("no process is in container %s", id)
}

// restarts is how often the proxies of web were started again.
func restarts(t *testing.T) (n int) {
	t.Helper()
	for _, word := range strings.Fields(kubectl(t, "", "-n", "shop", "get", "pods", "-l", "app=web", "-o", `jsonpath={.items[*].status.initContainerStatuses[?(@.name=="meshc-proxy")].restartCount}`)) {
		var count int
		if _, err := fmt.Sscan(word, &count); err != nil {
			t.Fatal(err)
		}
		n += count
	}
	return n
}

// settled waits until the first granted question of each kind is answered: pods may be
// ready before the policy that was applied with them is everywhere.
func settled(t *testing.T) {
	t.Helper()
	until(t, "what was granted is allowed", func() bool {
		going := start(t, "shop", "deploy/client", asked.granted...)
		time.Sleep(500 * time.Millisecond) // so many requests
		for _, tally := range going.end() {
			if tally.Sent == 0 || tally.Reached != tally.Sent {
				return false
			}
		}
		return true
	})
}

// steady asks all questions meanwhile. A break is what an application sees of a proxy
// that is gone: where one is expected, only decisions are judged.
func steady(t *testing.T, breaks bool, meanwhile func(*testing.T)) {
	client := start(t, "shop", "deploy/client", append(asked.granted[:len(asked.granted):len(asked.granted)], asked.beyond...)...)
	stranger := start(t, "shop", "deploy/stranger", asked.stranger...)
	meanwhile(t)
	answers, others := client.end(), stranger.end()
	for _, f := range asked.granted {
		tolerate(t, answers[f.Name], "reached", breaks)
	}
	for _, f := range asked.beyond {
		tolerate(t, answers[f.Name], "refused", breaks)
	}
	for _, f := range asked.stranger {
		tolerate(t, others[f.Name], "refused", breaks)
	}
}

func tolerate(t *testing.T, tally load.Tally, kind string, breaks bool) {
	t.Helper()
	if !breaks {
		only(t, tally, kind)
		return
	}
	wrong := map[string]int{"reached": tally.Refused, "refused": tally.Reached}[kind]
	tcp := strings.Contains(tally.Name, "TCP") || strings.Contains(tally.Name, "server first") || strings.Contains(tally.Name, "StatefulSet")
	t.Logf("%-32s %5d requests: %5d reached, %5d refused, %d broken", tally.Name, tally.Sent, tally.Reached, tally.Refused, tally.Broken)
	// A TCP connection that a crash ends looks to its client like one that is refused.
	if tally.Sent == 0 || wrong > 0 && !(tcp && kind == "reached") {
		t.Errorf("%s: of %d requests %d were not %s: %v", tally.Name, tally.Sent, wrong, kind, tally.Examples)
	}
}

// modes makes the mesh permissive and strict again: what was granted is allowed all the
// while, and who was granted nothing is refused whenever the mesh is strict.
func modes(t *testing.T) {
	client := start(t, "shop", "deploy/client", asked.granted...)
	for range 2 {
		phase(t, "permissive", "reached")
		phase(t, "strict", "refused")
	}
	for _, tally := range client.end() {
		only(t, tally, "reached")
	}
}

// phase sets the mesh's mode and holds what a stranger then meets.
func phase(t *testing.T, mode, kind string) {
	t.Helper()
	kubectl(t, "", "patch", "mesh", "mesh", "--type=merge", "-p", `{"spec": {"mode": "`+mode+`"}}`)
	arrived(t, "shop", "deploy/stranger", asked.stranger[0], kind)
	going := start(t, "shop", "deploy/stranger", asked.stranger...)
	time.Sleep(5 * time.Second) // so long requests go on
	for _, tally := range going.end() {
		only(t, tally, kind)
	}
}

// arrived waits until a question is answered as it should be.
func arrived(t *testing.T, ns, target string, f load.Flow, kind string) {
	t.Helper()
	until(t, f.Name+" is "+kind, func() bool {
		going := start(t, ns, target, f)
		time.Sleep(200 * time.Millisecond) // a few requests
		tally := going.end()[f.Name]
		return tally.Sent > 0 && map[string]int{"reached": tally.Reached, "refused": tally.Refused}[kind] == tally.Sent
	})
}

// egress opens the mesh to the outside and closes it: a server on this machine, by name
// and by address.
func egress(t *testing.T) {
	l, err := net.Listen("tcp", "10.250.0.1:8000")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "outside") })}
	go func() { _ = server.Serve(l) }() // until it is closed
	defer server.Close()
	outside := []load.Flow{get("outside, by name", "outside.example:8000", "/"), get("outside, by address", "10.250.0.1:8000", "/")}
	for range 2 {
		for _, phase := range []struct {
			word string
			open bool
		}{{"deny", false}, {"allow", true}, {"deny", false}} {
			kubectl(t, "", "patch", "mesh", "mesh", "--type=merge", "-p", `{"spec": {"egress": "`+phase.word+`"}}`)
			until(t, "egress is "+phase.word, func() bool { return outsideIs(t, outside, phase.open, false) })
			if !outsideIs(t, outside, phase.open, true) {
				t.Errorf("egress %s does not hold", phase.word)
			}
		}
	}
}

// outsideIs asks outside for a while, and tells whether all answers were so.
func outsideIs(t *testing.T, flows []load.Flow, open, figures bool) bool {
	t.Helper()
	going := start(t, "shop", "deploy/client", flows...)
	wait := 300 * time.Millisecond
	if figures {
		wait = 3 * time.Second
	}
	time.Sleep(wait) // so long requests go on
	ok := true
	for name, tally := range going.end() {
		if figures {
			t.Logf("%-28s %5d requests: %5d reached, %5d refused or cut", name, tally.Sent, tally.Reached, tally.Refused+tally.Broken)
		}
		ok = ok && tally.Sent > 0 && (open && tally.Reached == tally.Sent || !open && tally.Reached == 0)
	}
	return ok
}
