// Package lab is a mesh on one machine: from a tree of manifests it makes pods
// in network namespaces, names and virtual addresses as in a cluster, a control
// plane, and a real Envoy beside each meshed pod. Everything runs in a sandbox
// of the kernel's and ends with the process that made it. It runs verdict tables
// on what it made, and knows no Kubernetes.
package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
)

// Options of a lab. Tree is required.
type Options struct {
	Tree  *source.Tree
	Known ir.Known
	Now   time.Time // of judgement, for assumptions; zero: none has ended
	// Catalog has machines that run beside the pods of the manifests, each as it says:
	// address, identity, services. It is followed while the lab runs; nil: none.
	Catalog catalog.Provider
	// Tables are the verdict tables that Test runs; nil: those of the tree.
	Tables []*syntax.VerdictTable

	Name     string // of the lab; empty: the mesh's name
	Dir      string // runtime folder; empty: by the lab's name among the user's labs
	Envoy    string // as given to FindEnvoy
	Rootless bool   // in a user namespace even as root; without root always
	// Progress is told in a few words what is being done; nil: nobody is.
	Progress func(string)
	// Log takes the control plane's log; nil: a file among the lab's logs.
	Log *slog.Logger
	// Plane makes the control plane; nil: the lab runs its own in this process.
	Plane func(Site) (Plane, error)
}

// Refused says that a tree has errors and was not run.
type Refused struct{ Findings diag.List }

func (r *Refused) Error() string { return "the manifests have errors: nothing was changed" }

// Lab is a running mesh. Its methods may be called from many goroutines.
type Lab struct {
	opts     Options
	session  *compiler.Session // of the manifests that run
	envoy    string
	rootless bool
	claim    *claim
	ground   *ground
	plane    Plane
	pools    *pools
	journal  *journal
	logs     *os.File

	ctx       context.Context // ends with the lab
	cancel    context.CancelFunc
	control   *net.UnixListener
	down      chan struct{}
	askedDown sync.Once
	requests  atomic.Uint64 // sent by this lab, to number them

	editing  sync.Mutex // held from reading the state to changing it
	changing sync.Mutex // held over a change of what runs
	mu       sync.Mutex // guards what follows
	state    state
	extras   []*Pod // clients of verdict tables, the world outside
	ended    bool
}

// state is what runs now.
type state struct {
	result   *compiler.Result
	findings diag.List
	bundle   *bundle.Bundle
	catalog  *catalog.Snapshot // nil: there is none
	topology *Topology
}

// Up brings a mesh up and returns when every proxy has its configuration and
// every workload answers. The error is *Refused where the manifests are at
// fault, *sandbox.Unavailable where this machine forbids namespaces.
func Up(ctx context.Context, opts Options) (*Lab, error) {
	envoy, err := FindEnvoy(opts.Envoy)
	if err != nil {
		return nil, err
	}
	session := compiler.NewSession(opts.Known, compiler.Options{Now: opts.Now})
	next, err := compile(session, opts.Tree, opts.Known)
	if err != nil {
		return nil, err
	}
	if opts.Tables != nil {
		next.result.Tables = opts.Tables
	}
	if opts.Name == "" {
		opts.Name = next.result.Mesh.Settings.Name
	}
	if opts.Name == "" {
		opts.Name = "lab"
	}
	if opts.Progress == nil {
		opts.Progress = func(string) {}
	}
	if opts.Dir == "" {
		opts.Dir = filepath.Join(baseDir(), opts.Name)
		if sweep(baseDir()) {
			opts.Progress("cleaned up after a lab that had crashed")
		}
	}
	l := &Lab{opts: opts, session: session, envoy: envoy, rootless: opts.Rootless || os.Getuid() != 0, journal: newJournal(), down: make(chan struct{})}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	if err := l.lay(next); err != nil {
		l.Down()
		return nil, err
	}
	stop := context.AfterFunc(ctx, l.cancel)
	defer stop()
	if opts.Catalog != nil {
		next.catalog = opts.Catalog.Snapshot()
	}
	if err := l.change(next); err != nil {
		l.Down()
		return nil, errors.Join(ctx.Err(), err)
	}
	if opts.Catalog != nil {
		go l.follow(opts.Catalog)
	}
	return l, l.serveControl()
}

// lay makes what stays for the life of the lab: folder, sandbox, control plane.
func (l *Lab) lay(first *state) (err error) {
	if l.claim, err = claimDir(l.opts.Dir); err != nil {
		return err
	}
	if l.claim.Cleaned {
		l.opts.Progress("cleaned up after a lab that had crashed")
	}
	if l.logs, err = os.Create(filepath.Join(l.claim.dir, "logs", "lab.log")); err != nil {
		return err
	}
	settings := first.result.Mesh.Settings
	if l.ground, err = newGround(l.claim.dir, settings.ClusterDomain, l.rootless, l.logs); err != nil {
		return err
	}
	pid := strconv.Itoa(l.ground.box.Pid())
	if err := os.WriteFile(filepath.Join(l.claim.dir, machineFile), []byte(pid), 0o600); err != nil {
		return err
	}
	l.pools = newPools(l.ground.box.IPv6)
	return l.startPlane(l.site(settings.TrustDomain), first.result.Config)
}

func (l *Lab) startPlane(site Site, config *syntax.Config) (err error) {
	if l.opts.Plane != nil {
		l.plane, err = l.opts.Plane(site)
		return err
	}
	log := l.opts.Log
	if log == nil {
		log = slog.New(slog.NewTextHandler(l.logs, nil))
	}
	own, err := newPlane(site, config, log)
	if err != nil {
		return err
	}
	l.plane = own
	return nil
}

// compile makes what is to run of a tree.
func compile(session *compiler.Session, tree *source.Tree, known ir.Known) (*state, error) {
	result, findings := session.Load(tree, known)
	if findings.HasErrors() {
		return nil, &Refused{findings}
	}
	packed, err := bundle.Pack(bundle.Input{Mesh: result.Mesh, Plan: result.Plan, Findings: findings})
	if err != nil {
		return nil, err
	}
	return &state{result: result, findings: findings, bundle: packed}, nil
}

// Done is closed when the lab cannot go on, or when `lab down` asks it to end:
// the owner then calls Down.
func (l *Lab) Done() <-chan struct{} {
	done := make(chan struct{})
	go func() {
		select {
		case <-l.down:
		case <-l.ground.box.Done():
		case <-l.ctx.Done():
		}
		close(done)
	}()
	return done
}

// Down ends everything and removes every trace. It may be called twice.
func (l *Lab) Down() error {
	l.mu.Lock()
	ended := l.ended
	l.ended = true
	l.mu.Unlock()
	if ended {
		return nil
	}
	l.cancel()
	var closers []io.Closer
	if l.control != nil {
		closers = append(closers, l.control)
	}
	if l.plane != nil {
		closers = append(closers, l.plane)
	}
	var err error
	for _, c := range closers {
		err = errors.Join(err, c.Close())
	}
	if l.ground != nil {
		l.ground.close()
	}
	if l.logs != nil {
		l.logs.Close()
	}
	if l.claim != nil {
		err = errors.Join(err, l.claim.release())
	}
	return err
}

// Name is the lab's name.
func (l *Lab) Name() string { return l.opts.Name }

// Topology is what runs now, clients of verdict tables left out.
func (l *Lab) Topology() *Topology {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state.topology
}

// Compiled is what the lab runs: the mesh, its plan and its verdict tables.
func (l *Lab) Compiled() *compiler.Result {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state.result
}

// Findings are those of the compilation, and of linking it with what runs.
func (l *Lab) Findings() diag.List {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state.findings
}

// Log is the folder of the lab's logs: of the control plane, of each Envoy, of
// each command.
func (l *Lab) Log() string { return filepath.Join(l.claim.dir, "logs") }

// Apply compiles a tree and makes it what runs. It returns when every proxy has
// acknowledged. On an error that is *Refused nothing was changed.
func (l *Lab) Apply(tree *source.Tree) error { return l.apply(tree, l.opts.Known) }

func (l *Lab) apply(tree *source.Tree, known ir.Known) error {
	next, err := compile(l.session, tree, known)
	if err != nil {
		return err
	}
	if domain := next.result.Mesh.Settings.ClusterDomain; domain != l.ground.clusterDomain {
		return fmt.Errorf("the cluster domain cannot change from %s to %s while the lab runs", l.ground.clusterDomain, domain)
	}
	l.editing.Lock()
	defer l.editing.Unlock()
	l.mu.Lock()
	next.catalog = l.state.catalog
	l.mu.Unlock()
	return l.change(next)
}
