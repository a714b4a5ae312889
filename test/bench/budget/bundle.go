package main

import (
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/verify"
	mesh "github.com/meshc/meshc/test/bench"
	"github.com/meshc/meshc/xds/link"
)

// often is how many runs the median of something short is of.
const often = 15

// bundles measures what is done with a bundle, in this process.
func (b *bench) bundles() error {
	b.table.chapter("the bundle of ref-mesh(N), in process")
	for _, n := range b.sizes {
		if err := b.pack(n); err != nil {
			return err
		}
		size, err := folderSize(b.bundle(n))
		if err != nil {
			return err
		}
		b.table.add(figure{What: fmt.Sprintf("N=%d: size on disk", n), Value: size / (1 << 20), Unit: "MiB"})
	}
	if err := b.load(); err != nil {
		return err
	}
	return b.permissive()
}

// pack builds a bundle that the chapter before did not.
func (b *bench) pack(n int) error {
	if _, err := os.Stat(b.bundle(n)); err == nil {
		return nil
	}
	dir := filepath.Join(b.work, fmt.Sprintf("mesh-%d", n))
	if err := mesh.WriteTo(dir, mesh.RefMesh(n, 64)); err != nil {
		return err
	}
	_, err := timed(b.meshc, "build", dir, "-o", b.bundle(n))
	return err
}

func folderSize(dir string) (bytes float64, err error) {
	err = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			bytes += float64(info.Size())
		}
		return err
	})
	return bytes, err
}

// load measures loading, verifying and linking of ref-mesh(1000).
func (b *bench) load() error {
	opened, err := open(b.bundle(1000))
	if err != nil {
		return err
	}
	loads, used, err := repeat(often, func() error { _, err := open(b.bundle(1000)); return err })
	if err != nil {
		return err
	}
	b.table.add(figure{What: "N=1000: load, every digest checked", Unit: "ms", Runs: loads, Budget: 100, Note: used})
	verifies, used, err := repeat(b.runs, func() error {
		if found := verify.Compare(opened.Mesh, opened.Plan); len(found) > 0 {
			return fmt.Errorf("%s: %s", found[0].Asked, found[0].Why)
		}
		return nil
	})
	if err != nil {
		return err
	}
	b.table.add(figure{What: "N=1000: verify, nothing proved before", Unit: "ms", Runs: verifies, Note: used})
	snap := snapshotOf(opened.Mesh)
	links, used, err := repeat(often, func() error { _, _ = link.New(opened, snap); return nil })
	b.table.add(figure{What: "N=1000: link with a catalog, for all identities", Unit: "ms", Runs: links, Note: used})
	return err
}

func open(dir string) (*bundle.Bundle, error) {
	b, findings, err := bundle.Open(dir)
	if err == nil && findings.HasErrors() {
		err = fmt.Errorf("%s: %s", findings[0].Code, findings[0].Message)
	}
	return b, err
}

// permissive measures all that one identity is sent which sees 1,000 services,
// ready to go out: what is made when the first proxy of such an identity comes.
func (b *bench) permissive() error {
	files := mesh.RefMesh(1000, 64)
	files["meshc.yaml"] = []byte("apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata: {name: bench}\nspec: {mode: permissive}\n")
	dir, out := filepath.Join(b.work, "permissive"), filepath.Join(b.work, "permissive-bundle")
	if err := mesh.WriteTo(dir, files); err != nil {
		return err
	}
	if _, err := timed(b.meshc, "build", dir, "-o", out); err != nil {
		return err
	}
	opened, err := open(out)
	if err != nil {
		return err
	}
	snap := snapshotOf(opened.Mesh)
	id := ir.NewIdentity("cluster.local", "ns-0", "svc-0")
	sent := 0
	see := func(w *link.World) error {
		view, err := w.ForWorkload(id, "ns-0/svc-0-0")
		if err != nil {
			return err
		}
		sent = 0
		for t := range link.Types {
			for range view.All(link.Type(t)) {
				sent++
			}
		}
		return nil
	}
	worlds := make([]*link.World, often+1)
	links, used, err := repeat(often, func() error { _, _ = link.New(opened, snap); return nil })
	if err != nil {
		return err
	}
	for i := range worlds {
		worlds[i], _ = link.New(opened, snap)
	}
	i := -1
	first, _, err := repeat(often, func() error { i++; return see(worlds[i]) })
	if err != nil {
		return err
	}
	next, _, err := repeat(often, func() error { return see(worlds[0]) })
	if err != nil {
		return err
	}
	b.table.add(figure{What: "one identity that sees 1,000 services: all its resources", Unit: "ms", Runs: first, Budget: 10,
		Note: fmt.Sprintf("%d resources; the catalog is linked", sent)})
	b.table.add(figure{What: "the next identity that sees them", Unit: "ms", Runs: next})
	b.table.add(figure{What: "linking the catalog before, once for all identities", Unit: "ms", Runs: links, Note: used})
	return nil
}

// snapshotOf is a catalog in which every service of a mesh runs twice.
func snapshotOf(m *ir.Mesh) *catalog.Snapshot {
	snap := &catalog.Snapshot{}
	for i, s := range m.Services {
		out := catalog.Service{ID: s.ID, VIPs: []netip.Addr{address(10, i)}}
		for _, p := range s.Ports {
			out.Ports = append(out.Ports, catalog.ServicePort{Port: p.Number, Name: p.Name, Protocol: p.Protocol, TargetPort: p.TargetPort})
		}
		for e := range 2 {
			if len(s.Accounts) == 0 {
				continue
			}
			name := fmt.Sprintf("%s-%d", s.ID, e)
			out.Endpoints = append(out.Endpoints, catalog.Endpoint{Address: address(11+byte(e), i), Workload: name, Identity: s.Accounts[0], Meshed: true})
			snap.Workloads = append(snap.Workloads, catalog.Workload{Name: name, Identity: s.Accounts[0], Services: []ir.ServiceID{s.ID}, Meshed: true})
		}
		snap.Services = append(snap.Services, out)
	}
	sortWorkloads(snap)
	return snap
}

func address(net byte, i int) netip.Addr {
	return netip.AddrFrom4([4]byte{net, byte(i >> 16), byte(i >> 8), byte(i)})
}

// repeat times n calls, in milliseconds, after one that does not count. Each has
// no garbage of others to collect. used is the processor time of a call.
func repeat(n int, f func() error) (took []float64, used string, err error) {
	if err := f(); err != nil {
		return nil, "", err
	}
	var cpu time.Duration
	for range n {
		runtime.GC()
		start, before := time.Now(), spent()
		if err := f(); err != nil {
			return nil, "", err
		}
		cpu += spent() - before
		took = append(took, float64(time.Since(start).Microseconds())/1000)
	}
	return took, number(float64(cpu.Microseconds())/1000/float64(n)) + " ms of processor time", nil
}

// spent is the processor time of this process.
func spent() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
