package faults

import (
	"context"
	"time"

	"github.com/meshc/meshc/xds/server"
)

type (
	status      = server.Status
	degradation = server.Degraded
)

// envoyKilled kills every proxy once, in a random order; each second time the
// policy changes while it is dead. A pod without its proxy reaches nobody.
func envoyKilled(w *world) {
	pods := w.meshed()
	w.random.Shuffle(len(pods), func(i, j int) { pods[i], pods[j] = pods[j], pods[i] })
	for i, id := range pods {
		end := w.judge.mayFail(touches(id))
		must(w.t, w.lab.KillEnvoy(w.pod(id)))
		w.asked(2)
		if i%2 == 1 {
			w.either()
			w.publish()
			w.served()
		}
		cured := time.Now()
		must(w.t, w.lab.StartEnvoy(w.pod(id)))
		w.recover(cured, end)
	}
}

// served waits until the server serves what was published; proxies may be away.
func (w *world) served() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	must(w.t, w.control.awaitServed(ctx))
}

// moment is a random time at which a fault strikes: the one place where a test
// sleeps, and what it waits for is nothing.
func (w *world) moment(within time.Duration) {
	time.Sleep(time.Duration(w.random.Int64N(int64(within))))
}

// controlKilled kills the control plane at random moments: after a change was
// published, while it starts, while proxies come back. In the end the policy that
// was published last rules.
func controlKilled(w *world) {
	rounds := 8
	if w.quick {
		rounds = 2
	}
	for i := range rounds {
		if i%2 == 0 {
			w.either()
			w.publish()
		}
		w.moment(300 * time.Millisecond)
		w.control.kill()
		w.asked(1)
		if i%4 == 1 {
			w.either()
			w.publish() // nobody looks
		}
		cured := time.Now()
		must(w.t, w.control.start())
		if i%3 == 2 { // once more while they come back
			w.moment(700 * time.Millisecond)
			cured = time.Now()
			must(w.t, w.control.restart())
		}
		w.recover(cured)
	}
}
