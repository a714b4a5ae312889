package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/lab"
	mesh "github.com/meshc/meshc/test/bench"
)

// envoys measures what the configuration costs an Envoy.
func (b *bench) envoys() error {
	b.table.chapter("one Envoy with two threads and its configuration")
	none, err := b.memory(star{services: 1, clients: 1, protocol: ir.HTTP}, false)
	if err != nil {
		return err
	}
	b.table.add(figure{What: "memory, one service", Value: none.Resident, Unit: "MiB", Note: none.note()})
	for _, c := range []struct {
		what   string
		of     star
		server bool
	}{
		{"memory, 1,000 service listeners (HTTP)", star{services: 1000, clients: 1, protocol: ir.HTTP}, false},
		{"memory, 1,000 service listeners (TCP)", star{services: 1000, clients: 1, protocol: ir.TCP}, false},
		{"memory, 500 identities granted on one TCP port", star{services: 1, clients: 500, protocol: ir.TCP}, true},
		{"memory, 500 identities granted on one HTTP port", star{services: 1, clients: 500, protocol: ir.HTTP}, true},
	} {
		m, err := b.memory(c.of, c.server)
		if err != nil {
			return err
		}
		b.table.add(figure{What: c.what, Value: m.Resident, Unit: "MiB", Note: m.note()})
	}
	return nil
}

// footprint is what an Envoy takes when it has its configuration.
type footprint struct {
	Resident  float64 // MiB, by the system
	Allocated float64 // MiB, by itself
	Ready     float64 // seconds from its start to the last acknowledgement
}

func (f footprint) note() string {
	return fmt.Sprintf("%.1f MiB allocated; configured after %.2f s", f.Allocated, f.Ready)
}

// memory runs a control plane and an Envoy in a network namespace of their own:
// the data plane's ports are the same for every Envoy.
func (b *bench) memory(s star, server bool) (footprint, error) {
	args, err := json.Marshal(proxyArgs{Envoy: b.envoy, Services: s.services, Clients: s.clients, Protocol: s.protocol, Server: server})
	if err != nil {
		return footprint{}, err
	}
	cmd := itself("child-proxy", string(args))
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.Output()
	if err != nil {
		return footprint{}, fmt.Errorf("an Envoy in a network namespace: %w", err)
	}
	var f footprint
	return f, json.Unmarshal(out, &f)
}

// starts measures how long a pod is without answers when its Envoy is killed and
// started anew, beside a control plane that runs: from the start to the first
// 200 through interception, mTLS and the server's policy.
func (b *bench) starts() error {
	b.table.chapter("one Envoy killed and started anew in a lab of 6 pods")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	l, err := lab.Up(ctx, lab.Options{
		Tree: source.FromMap(mesh.RefMesh(3, 1)), Name: "bench", Dir: filepath.Join(b.work, "lab"), Envoy: b.envoy,
	})
	if err != nil {
		return err
	}
	defer func() { _ = l.Down() }()
	to := ir.PortID{Service: ir.ServiceID{Namespace: "ns-0", Name: "svc-0"}, Port: 80}
	client, err := l.Client(ir.Request{From: ir.NewIdentity("cluster.local", "ns-0", "svc-2"), To: to})
	if err != nil {
		return err
	}
	var took []float64
	for range b.runs {
		seconds, err := first(l, client, "http://"+l.Address(to)+"/api/v1/first")
		if err != nil {
			return err
		}
		took = append(took, seconds)
	}
	b.table.add(figure{What: "start to the first 200", Runs: took, Unit: "s"})
	return nil
}

func first(l *lab.Lab, client *lab.Pod, url string) (float64, error) {
	if err := l.KillEnvoy(client); err != nil {
		return 0, err
	}
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	failing, told, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer failing.Close()
	type end struct {
		at   time.Time
		code int
		err  error
	}
	ended := make(chan end, 1)
	go func() {
		code, err := l.Exec(client, []string{self, "child-listen", url}, os.Stdin, told, os.Stderr)
		ended <- end{time.Now(), code, err}
		told.Close()
	}()
	if _, err := failing.Read(make([]byte, 1)); err != nil {
		e := <-ended
		return 0, fmt.Errorf("the client in the pod ended with %d: %w", e.code, cmp.Or(e.err, err))
	}
	start := time.Now()
	if err := l.LaunchEnvoy(client); err != nil {
		return 0, err
	}
	e := <-ended
	if e.err == nil && e.code != 0 {
		e.err = errors.New("the pod was not answered")
	}
	return e.at.Sub(start).Seconds(), e.err
}

// listen calls a URL again and again until it is answered 200: `child-listen
// URL`. It says so when it has failed for the first time.
func listen(args []string) error {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Second}
	said := false
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		resp, err := client.Get(args[0])
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		if !said {
			said = true
			fmt.Print(".")
		}
	}
	return errors.New("no 200 within a minute")
}

// envoyCommand runs an Envoy as a sidecar runs.
func envoyCommand(binary, config string, id ir.Identity, env []string) *exec.Cmd {
	cmd := exec.Command(binary, "-c", config, "--use-dynamic-base-id", "--concurrency", "2", "--log-level", "error")
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	return cmd
}
