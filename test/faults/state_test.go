package faults

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// stateSize is that of the file system on which the state folder lies.
const stateSize = "size=8m,mode=0700"

// mountState makes a state folder that is a file system of its own, so that it can
// be full, read-only or gone. Only this process and its children see it.
func mountState(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	return unix.Mount("meshc-faults", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, stateSize)
}

func unmountState(dir string) { _ = unix.Unmount(dir, unix.MNT_DETACH) } // the mount ends with us

// stateFull leaves no byte for a server to write, also for one that is started.
func stateFull(w *world) {
	filler := w.control.path("state/filler")
	must(w.t, fill(filler))
	w.change()
	w.degraded("state")
	w.asked(1)
	must(w.t, w.control.restart())
	w.settle()
	w.change()
	cured := time.Now()
	must(w.t, os.Remove(filler))
	w.either()
	w.publish()
	w.recover(cured)
	w.keepsLast()
}

func fill(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	for size := 64 << 10; size > 0; {
		if _, err := f.Write(make([]byte, size)); errors.Is(err, syscall.ENOSPC) {
			size /= 16
		} else if err != nil {
			return err
		}
	}
	return nil
}

// stateReadOnly takes the right to write away, also from a server that is started.
func stateReadOnly(w *world) {
	dir := w.control.path("state")
	must(w.t, unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	w.change()
	w.degraded("state")
	w.asked(1)
	must(w.t, w.control.restart())
	w.settle()
	w.change()
	cured := time.Now()
	must(w.t, unix.Mount("", dir, "", unix.MS_REMOUNT, ""))
	w.either()
	w.publish()
	w.recover(cured)
	w.keepsLast()
}

// keepsLast starts the server without a bundle: what it kept is served. So it has
// written again what it could not write for a while.
func (w *world) keepsLast() {
	w.t.Helper()
	w.well()
	away := w.control.path("bundle.away")
	must(w.t, os.Rename(w.control.path("bundle"), away))
	must(w.t, w.control.restart())
	w.degraded("bundle")
	w.settle()
	must(w.t, os.Rename(away, w.control.path("bundle")))
	w.well()
}

// stateGone takes the state folder away. A running server goes on with what it has
// in memory; one that is started then is a stranger, with a root that no proxy
// trusts: the proxies keep what they have until the folder is back.
func stateGone(w *world) {
	dir, aside := w.control.path("state"), w.control.path("aside")
	must(w.t, os.Mkdir(aside, 0o700))
	must(w.t, unix.Mount(dir, aside, "", unix.MS_BIND, ""))
	must(w.t, unix.Unmount(dir, unix.MNT_DETACH))
	must(w.t, os.Remove(dir))
	w.change()
	w.asked(1)
	w.control.wire.sever()
	w.control.wire.mend()
	w.settle() // proxies that come back are known still
	w.change()

	old := w.current
	started := w.control.restart()
	if started == nil {
		w.publish()
		w.served()
	} else if !strings.Contains(started.Error(), "state") {
		w.t.Errorf("a server without its state folder ends and says %v", started)
	}
	w.asked(3)
	st, err := w.control.status()
	if err == nil && len(st.Proxies) > 0 {
		w.t.Errorf("a server that made a new root is believed by %d proxies", len(st.Proxies))
	}
	w.control.kill()
	w.judge.expect(w.policies[old], w.policies[w.current])
	cured := time.Now()
	must(w.t, os.RemoveAll(dir))
	must(w.t, os.Mkdir(dir, 0o700))
	must(w.t, unix.Mount(aside, dir, "", unix.MS_BIND, ""))
	must(w.t, unix.Unmount(aside, unix.MNT_DETACH))
	must(w.t, os.Remove(aside))
	must(w.t, w.control.start())
	w.recover(cured)
	if _, err := os.Stat(filepath.Join(dir, "ca", "root.pem")); err != nil {
		w.t.Error(err)
	}
}
