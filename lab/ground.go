package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/meshc/meshc/lab/caller"
	"github.com/meshc/meshc/lab/dns"
	"github.com/meshc/meshc/lab/echo"
	"github.com/meshc/meshc/lab/pod"
	"github.com/meshc/meshc/lab/sandbox"
	"github.com/meshc/meshc/lab/wire"
)

// ground is a lab without its mesh: pods with addresses and names on a bridge,
// each with what runs in it.
type ground struct {
	dir           string
	clusterDomain string
	box           *sandbox.Sandbox
	names         *dns.Server
	logs          io.Writer

	mu      sync.Mutex
	sockets map[string]string // of running pods, by ID
	next    int
}

// newGround makes the sandbox and its DNS server.
func newGround(dir, clusterDomain string, rootless bool, logs io.Writer) (*ground, error) {
	box, err := sandbox.Start(sandbox.Options{Dir: dir, Rootless: rootless, Bridge: []netip.Prefix{bridge4, bridge6}, Log: logs})
	if err != nil {
		return nil, err
	}
	g := &ground{dir: dir, clusterDomain: clusterDomain, box: box, logs: logs, sockets: map[string]string{}}
	if err := g.serveNames(); err != nil {
		g.close()
		return nil, err
	}
	return g, nil
}

func (g *ground) serveNames() error {
	address := netip.AddrPortFrom(bridge4.Addr(), 53).String()
	udp, err := g.box.ListenPacket(address)
	if err != nil {
		return err
	}
	tcp, err := g.box.Listen(address)
	if err != nil {
		udp.Close()
		return err
	}
	g.names = dns.Serve(tcp, udp)
	return nil
}

func (g *ground) close() {
	if g.names != nil {
		g.names.Close()
	}
	g.box.Close()
}

// add starts a pod and puts it on the network; nothing runs in it yet.
func (g *ground) add(p *Pod) error {
	g.mu.Lock()
	g.next++
	socket := filepath.Join(g.dir, "pod"+strconv.Itoa(g.next)+".sock")
	g.mu.Unlock()
	if err := g.box.AddPod(pod.Role, p.ID(), socket); err != nil {
		return err
	}
	g.mu.Lock()
	g.sockets[p.ID()] = socket
	g.mu.Unlock()
	return g.ask(p.ID(), pod.OpSetup, g.place(p), nil)
}

// place is the pod's part of the network, as a kubelet would write it.
func (g *ground) place(p *Pod) pod.Setup {
	s := pod.Setup{
		Hostname: p.Name,
		Resolv: fmt.Sprintf("nameserver %s\nsearch %s.svc.%s svc.%s %s\noptions ndots:5\n",
			bridge4.Addr(), p.Namespace, g.clusterDomain, g.clusterDomain, g.clusterDomain),
		Hosts: "127.0.0.1 localhost\n::1 localhost ip6-localhost\n",
	}
	for _, a := range p.Addresses {
		bits := a.BitLen() // a machine of some other network: all others are behind its default route
		for _, near := range []netip.Prefix{podRange4, podRange6} {
			if near.Contains(a) {
				bits = near.Bits()
			}
		}
		s.Addresses = append(s.Addresses, netip.PrefixFrom(a, bits))
		s.Hosts += a.String() + " " + p.Name + "\n"
	}
	return s
}

func (g *ground) remove(id string) error {
	g.mu.Lock()
	socket := g.sockets[id]
	delete(g.sockets, id)
	g.mu.Unlock()
	err := g.box.RemovePod(id)
	return errors.Join(err, os.Remove(socket))
}

// ids are the running pods.
func (g *ground) ids() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := make([]string, 0, len(g.sockets))
	for id := range g.sockets {
		out = append(out, id)
	}
	return out
}

func (g *ground) socket(id string) (string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	socket, ok := g.sockets[id]
	if !ok {
		return "", fmt.Errorf("no pod %q runs in the lab", id)
	}
	return socket, nil
}

func (g *ground) ask(id, op string, args, result any, files ...*os.File) error {
	socket, err := g.socket(id)
	if err != nil {
		return err
	}
	if _, err := wire.Ask(socket, op, args, result, files...); err != nil {
		return fmt.Errorf("pod %s: %w", id, err)
	}
	return nil
}

// send makes requests from inside a pod.
func (g *ground) send(id string, batch caller.Batch) ([]caller.Result, error) {
	var results []caller.Result
	return results, g.ask(id, pod.OpRequest, batch, &results)
}

// serve starts what a pod is there for: its command or the echo workload.
func (g *ground) serve(p *Pod) error {
	if p.Command != "" {
		return g.command(p)
	}
	who := echo.Who{Workload: p.Namespace + "/" + p.Workload, Pod: p.Name, Account: p.Identity.Short()}
	return g.ask(p.ID(), pod.OpEcho, pod.Echo{Who: who, Ports: p.Ports}, nil)
}

// command starts the user's own program by the shell; its output goes to a file
// among the lab's logs, and its end is told there.
func (g *ground) command(p *Pod) error {
	socket, err := g.socket(p.ID())
	if err != nil {
		return err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer null.Close()
	log, err := os.OpenFile(g.log(p, "command"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	run := pod.Run{Args: []string{"/bin/sh", "-c", p.Command}, Dir: dir, Env: append(os.Environ(), g.environment(p)...)}
	call, err := wire.Open(socket, pod.OpRun, run, null, log, log)
	if err != nil {
		log.Close()
		return err
	}
	go func() {
		defer log.Close()
		defer call.Close()
		var exit pod.Exit
		if _, err := call.Result(&exit); err != nil {
			fmt.Fprintf(log, "meshc: %v\n", err)
			return
		}
		fmt.Fprintf(log, "meshc: the command ended with exit code %d\n", exit.Code)
	}()
	return nil
}

// environment is what the downward API would tell a pod.
func (g *ground) environment(p *Pod) []string {
	return []string{"HOSTNAME=" + p.Name, "POD_NAME=" + p.Name, "POD_NAMESPACE=" + p.Namespace, "POD_IP=" + p.Addresses[0].String()}
}

// log is the file of a pod's output of one kind.
func (g *ground) log(p *Pod, kind string) string {
	return filepath.Join(g.dir, "logs", strings.ReplaceAll(p.ID(), "/", ".")+"."+kind+".log")
}

// balance gives every pod the rules that lead virtual addresses to pods.
func (g *ground) balance(ctx context.Context, rules pod.NAT) error {
	tasks, _ := errgroup.WithContext(ctx)
	for _, id := range g.ids() {
		tasks.Go(func() error { return g.ask(id, pod.OpNAT, rules, nil) })
	}
	return tasks.Wait()
}
