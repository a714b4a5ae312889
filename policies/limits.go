package policies

import (
	"runtime/metrics"
	"sync/atomic"
	"time"
)

// Limits bound a run. Steps and Findings are the same on every machine; Wall and
// Memory guard against single calls of functions that are not counted, and are
// set so that an honest rule never meets them.
type Limits struct {
	// Steps is how many expressions one rule may evaluate on one input; a rule of
	// scope namespace or mesh may take twenty times as many. Default 500,000.
	Steps int64
	// Findings is how many findings of one rule are reported. Default 500.
	Findings int
	// Wall is how long one run of all rules may take. Default two minutes.
	Wall time.Duration
	// Memory is how many bytes the heap may grow by during a run. Default 2 GiB.
	Memory uint64
}

func (l Limits) withDefaults() Limits {
	if l.Steps == 0 {
		l.Steps = 500_000
	}
	if l.Findings == 0 {
		l.Findings = 500
	}
	if l.Wall == 0 {
		l.Wall = 2 * time.Minute
	}
	if l.Memory == 0 {
		l.Memory = 2 << 30
	}
	return l
}

// wideSteps is how much more a rule may do that judges many objects at once.
const wideSteps = 20

// steps is how many a rule may take on an input.
func (l Limits) steps(wide bool) int64 {
	if wide {
		return wideSteps * l.Steps
	}
	return l.Steps
}

// budget counts the steps of one evaluation: the evaluator asks before each
// expression whether it is cancelled. It belongs to one goroutine.
type budget struct {
	left int64
	stop *atomic.Bool // of the run
}

func (b *budget) Cancel() { b.left = 0 }

func (b *budget) Cancelled() bool {
	b.left--
	return b.left < 0 || b.stop.Load()
}

// guard watches a run for what cannot be counted.
type guard struct {
	stop   atomic.Bool
	reason atomic.Pointer[string]
}

// watch stops the run when it takes too long or too much; it returns when the
// run is over.
func (g *guard) watch(l Limits, over <-chan struct{}, stopped chan<- struct{}) {
	base := heap()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.NewTimer(l.Wall)
	defer late.Stop()
	for {
		why := ""
		select {
		case <-over:
			return
		case <-late.C:
			why = "it took longer than " + l.Wall.String()
		case <-tick.C:
			if now := heap(); now > base && now-base > l.Memory {
				why = "it took more memory than " + megabytes(l.Memory)
			}
		}
		if why != "" {
			g.reason.Store(&why)
			g.stop.Store(true)
			close(stopped)
			return
		}
	}
}

// heap is how many bytes of the heap are in use, garbage included.
func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
