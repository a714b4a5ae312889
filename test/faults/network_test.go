package faults

import (
	"time"
)

// networkCut cuts every connection to the control plane, refuses new ones, and
// changes the policy meanwhile: the old one rules until the network is back.
func networkCut(w *world) { w.parted(w.control.wire.sever) }

// networkSilent lets nothing through while all connections stay open.
func networkSilent(w *world) { w.parted(w.control.wire.silence) }

// parted has two changes published that reach nobody, and one that nobody is told
// of between two faults.
func (w *world) parted(fault func()) {
	rounds := 2
	if w.quick {
		rounds = 1
	}
	for range rounds {
		fault()
		old := w.current
		w.publish()
		w.served()
		w.asked(3)
		w.judge.expect(w.policies[old], w.policies[w.current])
		cured := time.Now()
		w.control.wire.mend()
		w.recover(cured)
	}
}

// networkDelayed changes the policy while every piece of data takes its time.
func networkDelayed(w *world) {
	for _, by := range []time.Duration{50 * time.Millisecond, 300 * time.Millisecond} {
		w.control.wire.slow(by)
		w.change()
		w.asked(2)
	}
	cured := time.Now()
	w.control.wire.mend()
	w.either()
	w.publish()
	w.recover(cured)
}

// networkLossy changes the policy while packets between every proxy and the
// control plane are lost, and cuts the connections on top.
func networkLossy(w *world) {
	for _, id := range w.meshed() {
		w.inPod(id, dropRole, "4")
	}
	w.change()
	w.control.wire.sever()
	w.control.wire.mend()
	w.change()
	w.asked(2)
	cured := time.Now()
	for _, id := range w.meshed() {
		w.inPod(id, dropRole, "0")
	}
	w.either()
	w.publish()
	w.recover(cured)
}
