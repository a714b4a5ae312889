package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/catalog/ca"
	"github.com/meshc/meshc/catalog/token"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/dataplane/bootstrap"
	"github.com/meshc/meshc/lab/sandbox"
	"github.com/meshc/meshc/xds/server"
)

// proxyArgs are what a child-proxy is told.
type proxyArgs struct {
	Envoy             string
	Services, Clients int
	Protocol          ir.Protocol
	Server            bool // the Envoy of the first service, else of the first client
}

const patience = 2 * time.Minute

// proxy runs a control plane and one Envoy, waits until it has acknowledged
// everything, and says what it takes then: `child-proxy JSON`.
func proxy(args []string) error {
	var a proxyArgs
	if err := json.Unmarshal([]byte(args[0]), &a); err != nil {
		return err
	}
	sandbox.AllowIPv6()
	if err := sandbox.LinkUp("lo"); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "meshc-bench-proxy-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s := star{services: a.Services, clients: a.Clients, protocol: a.Protocol}
	id, name := s.client(0), workload(s.client(0))
	if a.Server {
		id, name = s.account(0), s.service(0).String()+"-0"
	}
	plane, options, err := plane(dir, s, id, name)
	if err != nil {
		return err
	}
	defer plane.Close()
	f, err := observe(a.Envoy, dir, plane, options)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(f)
}

// plane serves a mesh on loopback and writes what an Envoy needs to join it.
func plane(dir string, s star, id ir.Identity, name string) (*server.Server, bootstrap.Options, error) {
	none := bootstrap.Options{}
	packed, err := s.bundle()
	if err != nil {
		return nil, none, err
	}
	authority, err := ca.Open(dir, ca.Options{})
	if err != nil {
		return nil, none, err
	}
	tokens, err := token.Open(dir, token.Options{})
	if err != nil {
		return nil, none, err
	}
	raw, _, err := tokens.Create(id, name, time.Hour)
	if err != nil {
		return nil, none, err
	}
	plane, err := server.New(server.Options{Authority: authority, Certificate: authority.GetCertificate([]string{"127.0.0.1"}), Tokens: tokens})
	if err != nil {
		return nil, none, err
	}
	snap := snapshotOf(packed.Mesh)
	snap.Workloads = append(snap.Workloads, catalog.Workload{Name: workload(s.client(0)), Identity: s.client(0), Meshed: true})
	sortWorkloads(snap)
	plane.Set(packed, snap)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, none, err
	}
	go func() { _ = plane.Serve(l) }()
	o := bootstrap.Options{
		Identity: id, Workload: name, ControlPlane: l.Addr().String(), CA: authority.Roots(),
		TokenFile: filepath.Join(dir, "token.txt"), SecretsFile: filepath.Join(dir, "secrets.json"),
	}
	return plane, o, os.WriteFile(o.TokenFile, []byte(raw), 0o600)
}

// observe starts the Envoy and waits until all that it was sent is in force.
func observe(binary, dir string, plane *server.Server, o bootstrap.Options) (f footprint, err error) {
	secrets, err := bootstrap.Secrets(o)
	if err != nil {
		return f, err
	}
	config, err := bootstrap.JSON(o)
	if err != nil {
		return f, err
	}
	path := filepath.Join(dir, "bootstrap.json")
	if err := errors.Join(os.WriteFile(o.SecretsFile, secrets, 0o600), os.WriteFile(path, config, 0o600)); err != nil {
		return f, err
	}
	cmd := envoyCommand(binary, path, o.Identity, bootstrap.Env(o.Identity))
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return f, err
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := plane.WaitAcked(ctx, o.Workload); err != nil {
		return f, err
	}
	if err := settled(ctx); err != nil {
		return f, err
	}
	f.Ready = time.Since(start).Seconds()
	status, err := resident(cmd.Process.Pid)
	if err != nil {
		return f, err
	}
	var memory struct{ Allocated string }
	if err := admin("/memory", &memory); err != nil {
		return f, err
	}
	allocated, err := strconv.ParseFloat(memory.Allocated, 64)
	f.Resident, f.Allocated = status, allocated/(1<<20)
	return f, err
}

// settled waits until no listener and no cluster is warming.
func settled(ctx context.Context) error {
	for ; ctx.Err() == nil; time.Sleep(5 * time.Millisecond) {
		var stats struct {
			Stats []struct {
				Name  string
				Value int
			}
		}
		if admin("/stats?format=json&filter=^(listener_manager.total_listeners_(warming|active)|cluster_manager.warming_clusters)$", &stats) != nil {
			continue
		}
		warming, active := 0, 0
		for _, s := range stats.Stats {
			if strings.HasSuffix(s.Name, "active") {
				active = s.Value
			} else {
				warming += s.Value
			}
		}
		if active > 2 && warming == 0 { // the metrics' own and at least one of the mesh
			return nil
		}
	}
	return fmt.Errorf("the Envoy is not ready: %w", ctx.Err())
}

// admin asks Envoy's admin port.
func admin(path string, into any) error {
	resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d%s", bootstrap.AdminPort, path))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return json.NewDecoder(resp.Body).Decode(into)
}

// resident is the memory of a process by the system's account, in MiB.
func resident(pid int) (float64, error) {
	text := field(fmt.Sprintf("/proc/%d/status", pid), "VmRSS")
	kib, err := strconv.ParseFloat(strings.TrimSuffix(text, " kB"), 64)
	return kib / 1024, err
}
