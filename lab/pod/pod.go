// Package pod is what runs inside each pod of a lab: the first process of the
// pod's namespaces. It gives the pod its address, names and interception, and
// starts what belongs there when it is told to: the echo workload or a command,
// Envoy, programs of `lab exec`, requests of verdict tables. It knows no policy.
package pod

import (
	"net"
	"net/netip"
	"os"
	"sync"

	"github.com/meshc/meshc/lab/caller"
	"github.com/meshc/meshc/lab/echo"
	"github.com/meshc/meshc/lab/wire"
)

// Role is the argv[0] by which a binary is told to be a pod's first process.
const Role = "meshc-lab-pod"

// socketFD is where the first process inherits its listening socket.
const socketFD = 3

// Operations a pod answers.
const (
	OpSetup     = "setup"
	OpIntercept = "intercept"
	OpNAT       = "nat"
	OpEcho      = "echo"
	OpEnvoy     = "envoy"
	OpKillEnvoy = "kill-envoy"
	OpRun       = "run"
	OpRequest   = "request"
	OpReady     = "ready"
)

// Setup is the pod's place in the network.
type Setup struct {
	Hostname  string
	Addresses []netip.Prefix // of eth0
	Resolv    string         // contents of /etc/resolv.conf
	Hosts     string         // contents of /etc/hosts
}

// Echo is what the built-in workload is to be.
type Echo struct {
	Who   echo.Who
	Ports []echo.Port
}

// agent is the state of the first process.
type agent struct {
	mu    sync.Mutex
	echo  *echo.Server
	envoy *proxy // the last that was started
}

// Main is the first process. It ends when it is killed: its namespaces go with it.
func Main(args []string) int {
	l, err := net.FileListener(os.NewFile(socketFD, "socket"))
	if err != nil {
		return 1
	}
	go reap()
	a := &agent{}
	wire.Serve(l.(*net.UnixListener), map[string]wire.Handler{
		OpSetup: setup, OpIntercept: intercept, OpNAT: nat, OpEcho: a.serveEcho,
		OpEnvoy: a.startEnvoy, OpKillEnvoy: a.killEnvoy, OpRun: run, OpRequest: request, OpReady: ready,
	})
	return 0
}

func (a *agent) serveEcho(c *wire.Call) (any, error) {
	var args Echo
	if err := c.Decode(&args); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.echo != nil {
		a.echo.Close()
	}
	server, err := echo.Start(args.Who, args.Ports)
	a.echo = server
	return nil, err
}

// request sends the requests of one batch and answers with what came of each.
func request(c *wire.Call) (any, error) {
	var batch caller.Batch
	if err := c.Decode(&batch); err != nil {
		return nil, err
	}
	return caller.Send(batch), nil
}
