package lab

import (
	"bufio"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/meshc/meshc/catalog/file"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/lab/caller"
	"github.com/meshc/meshc/lab/pod"
	"github.com/meshc/meshc/lab/wire"
)

// joining is the example as its README tells it: machines on a network, and the
// README's and the units' own command lines run on them.
type joining struct {
	*testing.T
	ground *ground
	dir    string
	readme string
}

// newJoining makes the machines; nothing of a mesh runs on them yet.
func newJoining(t *testing.T, names ...string) *joining {
	t.Helper()
	if testing.Short() {
		t.Skip("runs real Envoys")
	}
	if os.Getuid() != 0 {
		t.Skip("the units run Envoy as a user of its own, which takes root")
	}
	readme, err := os.ReadFile(filepath.Join(machinesExample, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	j := &joining{T: t, dir: runtimeDir(t), readme: string(readme)}
	j.programs()
	g, err := newGround(j.dir, "cluster.local", false, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.close)
	j.ground = g
	data, err := os.ReadFile(filepath.Join(machinesExample, "catalog.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	snap, _ := file.Parse("catalog.yaml", data)
	top, err := topology(&ir.Inventory{}, snap, newPools(g.box.IPv6))
	if err != nil {
		t.Fatal(err)
	}
	control := &Pod{Namespace: extraNamespace, Name: "control", Workload: "control", Addresses: []netip.Addr{netip.MustParseAddr("192.168.10.2")}}
	pods := []*Pod{control}
	for _, name := range names {
		p, err := top.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		pods = append(pods, p)
	}
	for _, p := range pods {
		if err := g.add(p); err != nil {
			t.Fatal(err)
		}
		if err := g.serve(p); err != nil {
			t.Fatal(err)
		}
		j.folder(p.ID(), "token")
	}
	known := top.names("cluster.local")
	known["mesh.corp.example"] = control.Addresses
	g.names.Set(known)
	if err := os.WriteFile(filepath.Join(j.folder(control.ID()), "catalog.yaml"), data, 0o644); err != nil {
		t.Fatal(err)
	}
	return j
}

// programs puts meshc and Envoy where every user may run them.
func (j *joining) programs() {
	j.Helper()
	if err := os.Chmod(j.dir, 0o755); err != nil {
		j.Fatal(err)
	}
	bin := filepath.Join(j.dir, "bin")
	if out, err := exec.Command("go", "build", "-o", bin+"/", "../cmd/meshc").CombinedOutput(); err != nil {
		j.Fatalf("go build: %v\n%s", err, out)
	}
	envoy, err := FindEnvoy("")
	if err != nil {
		j.Fatal(err)
	}
	if out, err := exec.Command("cp", "-L", envoy, filepath.Join(bin, "envoy")).CombinedOutput(); err != nil {
		j.Fatalf("%v %s", err, out)
	}
}

// folder is what /etc/meshc is on a machine, or a folder of it, Envoy's user's own.
func (j *joining) folder(id string, below ...string) string {
	j.Helper()
	dir := filepath.Join(append([]string{j.dir, "machines", strings.ReplaceAll(id, "/", ".")}, below...)...)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		j.Fatal(err)
	}
	if len(below) > 0 {
		if err := os.Chown(dir, envoyUID, envoyUID); err != nil {
			j.Fatal(err)
		}
	}
	return dir
}

// words are a command line's, with the paths of a machine instead of the usual ones.
func (j *joining) words(id, line string) []string {
	example, err := filepath.Abs(machinesExample)
	if err != nil {
		j.Fatal(err)
	}
	return strings.Fields(strings.NewReplacer(
		"/usr/local/bin/", j.dir+"/bin/", "/etc/meshc", j.folder(id), "/var/lib/meshc", j.dir+"/state",
		"examples/06-virtual-machines", example, ".cache/", j.folder(id)+"/",
	).Replace(line))
}

// documented is the README's command line that begins with words and holds more.
func (j *joining) documented(begins, holds string) string {
	j.Helper()
	for _, line := range strings.Split(j.readme, "\n") {
		if command := strings.TrimSpace(line); strings.HasPrefix(line, "    "+begins) && strings.Contains(command, holds) {
			command, _, _ = strings.Cut(command, " > ")
			return "/usr/local/bin/" + command
		}
	}
	j.Fatalf("the README has no command %q with %q", begins, holds)
	return ""
}

// run runs a command line on a machine to its end, and gives what it printed.
func (j *joining) run(id, line string, uid int) string {
	j.Helper()
	out, code := j.try(id, line, uid)
	if code != 0 {
		j.Fatalf("%s: exit %d on %s\n%s", line, code, id, out)
	}
	return out
}

func (j *joining) try(id, line string, uid int) (string, int) {
	j.Helper()
	out, err := os.CreateTemp(j.dir, "out")
	if err != nil {
		j.Fatal(err)
	}
	defer out.Close()
	var exit pod.Exit
	if _, err := j.open(id, line, uid, nil, out).Result(&exit); err != nil {
		j.Fatalf("%s: %v", line, err)
	}
	data, err := os.ReadFile(out.Name())
	if err != nil {
		j.Fatal(err)
	}
	return string(data), exit.Code
}

// open starts a command line on a machine. Standard error goes to the test's.
func (j *joining) open(id, line string, uid int, env []string, out *os.File) *wire.Conn {
	j.Helper()
	socket, err := j.ground.socket(id)
	if err != nil {
		j.Fatal(err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		j.Fatal(err)
	}
	defer null.Close()
	run := pod.Run{Args: j.words(id, line), Dir: "/", Env: append(os.Environ(), env...), UID: uid}
	call, err := wire.Open(socket, pod.OpRun, run, null, out, os.Stderr)
	if err != nil {
		j.Fatal(err)
	}
	j.Cleanup(func() { call.Close() })
	return call
}

// start starts what a unit starts, as its user and with its environment.
func (j *joining) start(id, name string) {
	j.Helper()
	u := readUnit(j.T, name)
	uid, _ := strconv.Atoi(u.value("Service", "User"))
	var env []string
	if path := u.value("Service", "EnvironmentFile"); path != "" {
		data, err := os.ReadFile(j.words(id, path)[0])
		if err != nil {
			j.Fatal(err)
		}
		env = strings.Fields(string(data))
	}
	log, err := os.Create(filepath.Join(j.folder(id), name+".log"))
	if err != nil {
		j.Fatal(err)
	}
	if err := log.Chown(envoyUID, envoyUID); err != nil { // Envoy opens it anew
		j.Fatal(err)
	}
	defer log.Close()
	j.open(id, u.value("Service", "ExecStart"), uid, env, log)
}

// join is the README's "On each machine", for a machine of an identity.
func (j *joining) join(id, identity, like, likeIdentity string) {
	j.Helper()
	as := strings.NewReplacer("--identity "+likeIdentity+" ", "--identity "+identity+" ", like, id)
	token := j.run(extraNamespace+"/control", as.Replace(j.documented("meshc token create", like)), 0)
	j.file(filepath.Join(j.folder(id, "token"), "token"), token)
	j.file(filepath.Join(j.folder(id), "root.pem"), j.run(extraNamespace+"/control", j.documented("meshc ca export", ""), 0))
	j.run(id, as.Replace(j.documented("meshc proxy bootstrap", like)), 0)
}

func (j *joining) file(path, text string) {
	j.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		j.Fatal(err)
	}
	if err := os.Chown(path, envoyUID, envoyUID); err != nil {
		j.Fatal(err)
	}
}

// awaitEnvoys waits until the proxies are ready.
func (j *joining) awaitEnvoys(ids ...string) {
	j.Helper()
	for _, id := range ids {
		if err := j.ground.ask(id, pod.OpReady, pod.Ready{Envoy: true, Timeout: readyTimeout}, nil); err != nil {
			j.Fatal(err)
		}
	}
}

// expect sends one request from a machine.
func (j *joining) expect(from, address, method, path string, status int, by string) {
	j.Helper()
	results, err := j.ground.send(from, caller.Batch{Requests: []caller.Request{{Address: address, Method: method, Path: path, Timeout: 10 * time.Second}}})
	if err != nil {
		j.Fatal(err)
	}
	if got := results[0]; got.Status != status || header(got, "X-Echo-Workload") != by {
		j.Errorf("%s %s at %s from %s: want %d by %q, got %+v", method, path, address, from, status, by, got)
	}
}

// TestMachinesJoinAsDocumented: who follows the README has a mesh. The control
// plane, interception, Envoy and renewal are what the units start.
func TestMachinesJoinAsDocumented(t *testing.T) {
	const control, web, orders, prices = extraNamespace + "/control", "shop/web-1", "shop/orders-1", "shop/prices-1"
	j := newJoining(t, web, orders, prices)
	j.run(control, j.documented("meshc catalog export", ""), 0)
	j.run(control, j.documented("meshc build", ""), 0)
	j.start(control, "meshc-serve.service")
	status := j.documented("meshc status", "")
	for deadline := time.Now().Add(readyTimeout); ; {
		if _, code := j.try(control, status, 0); code == 0 {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("meshc serve does not answer: exit %d", code)
		}
	}
	j.join(web, "shop/web", web, "shop/web")
	j.join(orders, "shop/orders", web, "shop/web")
	j.join(prices, "shop/prices", prices, "shop/prices")
	netinit := readUnit(t, "meshc-netinit.service")
	for _, id := range []string{web, orders} {
		j.run(id, netinit.value("Service", "ExecStart"), 0)
	}
	for _, id := range []string{web, orders, prices} {
		j.start(id, "meshc-envoy.service")
	}
	j.awaitEnvoys(web, orders, prices)

	j.expect(web, "orders.shop:80", "GET", "/orders", 200, orders)
	j.expect(web, "orders.shop:80", "DELETE", "/orders", 403, "")
	j.expect(web, "prices.shop:80", "GET", "/prices/1", 200, prices)
	j.expect(prices, "127.0.0.1:9080", "GET", "/orders", 200, orders)
	j.expect(prices, "127.0.0.1:9080", "POST", "/orders", 403, "")
	if out := j.run(control, status, 0); !strings.Contains(out, web) || !strings.Contains(out, prices) {
		t.Errorf("meshc status does not show the machines:\n%s", out)
	}

	token := filepath.Join(j.folder(web, "token"), "token")
	before := mustRead(t, token)
	j.run(web, readUnit(t, "meshc-token-renew.service").value("Service", "ExecStart"), envoyUID)
	if mustRead(t, token) == before {
		t.Error("the timer's command leaves the token as it was")
	}
	if out := j.run(control, j.documented("meshc token list", ""), 0); strings.Count(out, web) != 2 {
		t.Errorf("the list does not show the token and the one it was renewed from:\n%s", out)
	}
	j.run(web, netinit.value("Service", "ExecStop"), 0)
}

func mustRead(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// unit is a systemd unit: values by section and key.
type unit map[string]map[string][]string

func (u unit) value(section, key string) string {
	if v := u[section][key]; len(v) == 1 {
		return v[0]
	}
	return ""
}

func readUnit(t *testing.T, name string) unit {
	t.Helper()
	u, section := unit{}, ""
	lines := bufio.NewScanner(strings.NewReader(mustRead(t, filepath.Join(machinesExample, "systemd", name))))
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		switch key, value, ok := strings.Cut(line, "="); {
		case line == "" || line[0] == '#':
		case line[0] == '[' && strings.HasSuffix(line, "]"):
			section = line[1 : len(line)-1]
			u[section] = map[string][]string{}
		case !ok || section == "":
			t.Fatalf("%s: %q is no line of a unit", name, line)
		default:
			u[section][key] = append(u[section][key], value)
		}
	}
	return u
}
