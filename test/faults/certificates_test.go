package faults

import (
	"bytes"
	"os/exec"
	"time"

	"github.com/meshc/meshc/catalog/ca"
)

// leavesRotated gives certificates the shortest life there is and waits until each
// proxy has had two new ones: every connection that is made meanwhile succeeds.
func leavesRotated(w *world) {
	w.control.leaf = time.Minute
	must(w.t, w.control.restart())
	w.settle()
	for range 2 {
		w.newLeaves()
		w.change()
	}
	w.control.leaf = time.Hour
	cured := time.Now()
	must(w.t, w.control.restart())
	w.recover(cured)
}

// newLeaves waits until every proxy that has a certificate has another; one that may
// call nobody and serves nothing has none.
func (w *world) newLeaves() {
	w.t.Helper()
	before, err := w.control.status()
	must(w.t, err)
	had := map[string]string{}
	for _, p := range before.Proxies {
		had[p.Workload] = p.Certificate
	}
	w.until("every proxy has a new certificate", func(st status) bool {
		for _, p := range st.Proxies {
			if had[p.Workload] != "" && p.Certificate == had[p.Workload] {
				return false
			}
		}
		return len(st.Proxies) >= len(had)
	})
	w.asked(1)
}

// rootRotated replaces the root as an operator does, with `meshc ca rotate`, while
// one proxy is away: both roots are trusted until it is back and has the new one.
func rootRotated(w *world) {
	away := "shop/client-1"
	end := w.judge.mayFail(touches(away))
	must(w.t, w.lab.KillEnvoy(w.pod(away)))
	w.until("the dead proxy is missed", func(st status) bool { return !connected(st, away) })
	old := w.control.Roots()
	out, err := exec.Command(w.control.bin, "ca", "rotate", "--state", w.control.path("state")).CombinedOutput()
	if err != nil {
		w.t.Fatalf("meshc ca rotate: %v\n%s", err, out)
	}
	w.until("the rotation waits for the proxy that is away alone", func(st status) bool {
		return st.Rotation != nil && st.Rotation.Step == ca.StepTrust && len(st.Rotation.Waiting) == 1 && st.Rotation.Waiting[0].Proxy == away
	})
	w.either()
	w.publish()
	w.served()
	w.asked(2)
	cured := time.Now()
	must(w.t, w.lab.StartEnvoy(w.pod(away)))
	w.recover(cured, end)
	must(w.t, w.control.restart()) // in the midst of it
	w.until("the rotation has ended", func(status) bool {
		d, err := ca.Show(w.control.path("state")) // a server that has just started knows nothing of it yet
		return err == nil && d.Rotation == nil
	})
	w.settle()
	if fresh := w.control.Roots(); bytes.Equal(fresh, old) || bytes.Contains(fresh, bytes.TrimSpace(old)) {
		w.t.Error("the old root is trusted still")
	}
	w.change()
	w.asked(1)
}

func connected(st status, workload string) bool {
	for _, p := range st.Proxies {
		if p.Workload == workload {
			return true
		}
	}
	return false
}

// clockStepped sets the control plane's clock: minutes ahead, minutes back, past
// the end of every leaf, and right again. After each step all proxies connect anew,
// one is started anew and needs a certificate, and the policy changes. Envoy's
// clock is left alone, so what is issued must count on both.
func clockStepped(w *world) {
	for i, off := range []time.Duration{10 * time.Minute, -10 * time.Minute, 25 * time.Hour, 0} {
		w.t.Logf("off by %s", off)
		must(w.t, w.control.setClock(off))
		w.asked(1)
		if i%2 == 1 {
			must(w.t, w.control.restart())
		} else {
			w.control.wire.sever()
			w.control.wire.mend()
		}
		w.settle()
		w.asked(1)
		pod := w.meshed()[w.random.IntN(len(w.meshed()))]
		end := w.judge.mayFail(touches(pod))
		must(w.t, w.lab.KillEnvoy(w.pod(pod)))
		cured := time.Now()
		must(w.t, w.lab.StartEnvoy(w.pod(pod)))
		w.recover(cured, end)
		w.change()
		w.asked(1)
	}
}
