package cni_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"github.com/meshc/meshc/dataplane/cni"
	"github.com/meshc/meshc/dataplane/netinit"
)

// asPlugin makes this test's binary the plugin, as its name makes meshc's.
const asPlugin = "MESHC_CNI_TEST_PLUGIN"

func TestMain(m *testing.M) {
	if os.Getenv(asPlugin) != "" {
		os.Exit(cni.Main())
	}
	os.Exit(m.Run())
}

const prevResult = `{"cniVersion":"1.0.0","interfaces":[{"name":"eth0","sandbox":"pod"}],"ips":[{"address":"10.1.2.3/24","interface":0}]}`

// network is what a runtime hands to the plugin; annotation "" is a pod that has none.
func network(annotation string) string {
	run := `{}`
	if annotation != "" {
		value, _ := json.Marshal(map[string]string{"other.example/note": "{", cni.Annotation: annotation})
		run = `{"io.kubernetes.cri.pod-annotations":` + string(value) + `}`
	}
	return `{"cniVersion":"1.0.0","name":"pods","type":"meshc-cni","runtimeConfig":` + run + `,"prevResult":` + prevResult + `}`
}

// call runs the plugin as a container runtime does.
func call(t *testing.T, command, ns, config string) (string, error) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asPlugin+"=1", "CNI_COMMAND="+command, "CNI_CONTAINERID=pod1", "CNI_NETNS="+ns, "CNI_IFNAME=eth0", "CNI_PATH=/opt/cni/bin")
	cmd.Stdin = strings.NewReader(config)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

// pod is a namespace with a way out, for as long as the test runs; in runs a
// function inside.
type pod struct {
	path string
	todo chan func()
}

func newPod(t *testing.T) *pod {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root makes network namespaces")
	}
	p := &pod{todo: make(chan func())}
	ready := make(chan error)
	go func() {
		runtime.LockOSThread() // for ever: the namespace is this thread's
		ns, err := netns.New()
		if err == nil {
			p.path = fmt.Sprintf("/proc/%d/task/%d/ns/net", os.Getpid(), syscall.Gettid())
			err = errors.Join(ns.Close(), wayOut())
		}
		ready <- err
		for f := range p.todo {
			f()
		}
	}()
	if err := <-ready; err != nil {
		if errors.Is(err, syscall.EPERM) {
			t.Skip("this machine gives no fresh namespaces")
		}
		t.Fatal(err)
	}
	t.Cleanup(func() { close(p.todo) })
	return p
}

// wayOut gives the namespace addresses and default routes, to nobody.
func wayOut() error {
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "eth0"}, PeerName: "far0"}); err != nil {
		return err
	}
	far, err := netlink.LinkByName("far0")
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(far); err != nil {
		return err
	}
	link, err := netlink.LinkByName("eth0")
	if err != nil {
		return err
	}
	for _, a := range []string{"10.1.2.3/24", "fd01::3/64"} {
		addr, err := netlink.ParseAddr(a)
		if err != nil {
			return err
		}
		addr.Flags = syscall.IFA_F_NODAD
		if err := netlink.AddrAdd(link, addr); err != nil {
			return err
		}
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return err
	}
	for _, gw := range []string{"10.1.2.1", "fd01::1"} {
		if err := netlink.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Gw: net.ParseIP(gw)}); err != nil {
			return err
		}
	}
	return nil
}

func (p *pod) in(f func() error) error {
	done := make(chan error)
	p.todo <- func() { done <- f() }
	return <-done
}

// verified is what the pod's own init container would say.
func (p *pod) verified(words netinit.Words) error {
	return p.in(func() error {
		o, err := words.Options()
		if err != nil {
			return err
		}
		// Sockets belong to the namespace of the thread that makes them, so the call
		// must be made on this one.
		return netinit.Verify(context.Background(), o)
	})
}

// A pod with the annotation is intercepted, and only such a pod; its init container
// can tell.
func TestPodsWithTheAnnotationAreIntercepted(t *testing.T) {
	p := newPod(t)
	words := netinit.Words{Own: []string{"15020-15029"}, ExcludeOutbound: []string{"1"}}
	if err := p.verified(words); err == nil {
		t.Fatal("a pod that nothing intercepts passes")
	}
	out, err := call(t, "ADD", p.path, network(""))
	if err != nil {
		t.Fatal(err, out)
	}
	if err := p.verified(words); err == nil {
		t.Fatal("a pod without the annotation is intercepted")
	}
	meshed := network(`{"uid":1500,"envoy-ports":["15020-15029"],"exclude-outbound-ports":["1"]}`)
	if out, err = call(t, "CHECK", p.path, meshed); err == nil {
		t.Errorf("CHECK passes before ADD: %s", out)
	}
	if out, err = call(t, "ADD", p.path, meshed); err != nil {
		t.Fatal(err, out)
	}
	var got, want any
	if json.Unmarshal([]byte(out), &got) != nil || json.Unmarshal([]byte(prevResult), &want) != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the addresses of the plugins before are not passed on: %s", out)
	}
	if err := p.verified(words); err != nil {
		t.Error(err)
	}
	if out, err = call(t, "CHECK", p.path, meshed); err != nil {
		t.Error(err, out)
	}
	if out, err = call(t, "DEL", p.path, meshed); err != nil {
		t.Error(err, out)
	}
}

// What cannot be understood stops the pod: it would run in plaintext.
func TestWhatCannotBeReadStopsThePod(t *testing.T) {
	p := newPod(t)
	for annotation, want := range map[string]string{
		`{"uid":1500`:                            "cannot be read",
		`{"uid":1500,"exclude-everything":true}`: "exclude-everything",
		`{"uid":1500,"envoy-ports":["x"]}`:       "neither a port",
		`{}`:                                     "nearly everything has it",
	} {
		if out, err := call(t, "ADD", p.path, network(annotation)); err == nil || !strings.Contains(out, want) {
			t.Errorf("%s: %v, %s; want %q", annotation, err, out, want)
		}
	}
	first := strings.Replace(network(`{"uid":1500}`), `,"prevResult":`+prevResult, "", 1)
	if out, err := call(t, "ADD", p.path, first); err == nil || !strings.Contains(out, "behind") {
		t.Errorf("as the first plugin: %v, %s", err, out)
	}
}

// The plugin stands at the end of the network that the runtime uses, comes back when
// somebody writes that anew, and leaves all else as it was.
func TestThePluginIsKeptInTheNetwork(t *testing.T) {
	dir := t.TempDir()
	bin, conf := filepath.Join(dir, "bin"), filepath.Join(dir, "net.d")
	for _, d := range []string{bin, conf} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(dir, "meshc")
	write(t, program, "a program")
	const before = `{"cniVersion":"1.0.0","name":"pods","plugins":[{"mtu":9007199254740993,"type":"ptp"},{"type":"portmap"}]}`
	used, other := filepath.Join(conf, "10-pods.conflist"), filepath.Join(conf, "20-other.conflist")
	write(t, other, before)
	n := cni.Node{BinDir: bin, ConfDir: conf, Program: program}
	for range 2 { // another program may write the file at any time
		write(t, used, before)
		for i, want := range []bool{true, false} {
			if _, changed, err := n.Place(); err != nil || changed != want {
				t.Fatalf("place %d: %v, %v", i, changed, err)
			}
		}
	}
	if text := read(t, used); !strings.Contains(text, "9007199254740993") || !strings.Contains(text, `"io.kubernetes.cri.pod-annotations": true`) ||
		strings.Index(text, cni.Type) < strings.Index(text, "portmap") {
		t.Errorf("the network is now\n%s", text)
	}
	if text := read(t, other); text != before {
		t.Errorf("another network is changed: %s", text)
	}
	if err := n.Remove(); err != nil {
		t.Fatal(err)
	}
	if text := read(t, used); strings.Contains(text, cni.Type) || !strings.Contains(text, "portmap") {
		t.Errorf("after Remove the network is\n%s", text)
	}
	if err := n.Remove(); err != nil {
		t.Error("Remove where nothing is:", err)
	}
	write(t, filepath.Join(conf, "05-old.conf"), `{"cniVersion":"1.0.0","name":"old","type":"bridge"}`)
	if _, _, err := n.Place(); err == nil || !strings.Contains(err.Error(), "05-old.conf") {
		t.Errorf("a network of the old form: %v", err)
	}
}

// Somebody empties the folder of plugins, as upgrades of nodes do: pods start and end
// again as soon as the plugin that the network names is back.
func TestThePluginIsKeptOnTheNode(t *testing.T) {
	dir := t.TempDir()
	bin, conf := filepath.Join(dir, "bin"), filepath.Join(dir, "net.d")
	for _, d := range []string{bin, conf} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	program, used, plugin := filepath.Join(dir, "meshc"), filepath.Join(conf, "10-pods.conflist"), filepath.Join(bin, cni.Type)
	write(t, program, "a program")
	write(t, used, `{"cniVersion":"1.0.0","name":"pods","plugins":[{"type":"ptp"}]}`)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		ended <- cni.Node{BinDir: bin, ConfDir: conf, Program: program, Log: slog.New(slog.DiscardHandler)}.Keep(ctx)
	}()
	placed := func(what string) {
		t.Helper()
		for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			_, err := os.Stat(plugin)
			if text, unread := os.ReadFile(used); err == nil && unread == nil && strings.Contains(string(text), cni.Type) {
				return
			}
		}
		t.Fatalf("the plugin is not in place within a minute %s", what)
	}
	placed("of the start")
	if err := os.Remove(plugin); err != nil {
		t.Fatal(err)
	}
	placed("after it was deleted")
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
