package main

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// compileAndEnd are the verbs that compile and end.
var compileAndEnd = []string{"build", "check", "lock", "can", "allow", "graph", "test"}

// firstHeap is the heap at which garbage is collected first: reading has left some, and
// little lives yet, so that this costs little and the heap grows from less.
const firstHeap = 96 << 20

// roomyHeap is how much a run may allocate between two later collections even when
// little of it stays. Twice as much takes no less time: each page that is touched
// first costs about what collecting it again does.
const roomyHeap = 256 << 20

// mostGrowth bounds what a large heap may grow by between two of them.
const mostGrowth = 512 << 20

// collectSeldom is for verbs that compile and end: most of what they make lives
// nearly as long as they do, so that collecting at every doubling of a small heap
// finds little. What GOGC or GOMEMLIMIT say goes first. A heap that outgrows the
// room is collected when it has doubled, and a large one sooner: it would not fit
// into memory otherwise.
func collectSeldom() {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	debug.SetGCPercent(firstHeap / minHeap * 100)
	afterCollection(func() {
		sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		metrics.Read(sample)
		live := max(float64(sample[0].Value.Uint64()), minHeap)
		growth := max(roomyHeap, min(live, mostGrowth))
		debug.SetGCPercent(int(max(leastPercent, math.Ceil(100*growth/live))))
	})
}

// leastPercent bounds the share of time that collecting takes.
const leastPercent = 25

// minHeap is the heap at which Go collects first, at GOGC=100.
const minHeap = 4 << 20

// afterCollection calls f after every garbage collection.
func afterCollection(f func()) {
	type herald struct{ _ [16]byte } // not a tiny allocation: these share blocks
	runtime.AddCleanup(&herald{}, func(struct{}) {
		f()
		afterCollection(f)
	}, struct{}{})
}

// collectEarly is for a verb that goes on, while nobody waits for it: what is
// collected now does not slow down the next answer. A few edits leave too little.
func collectEarly() {
	heap := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/gc/heap/live:bytes"}}
	metrics.Read(heap)
	if heap[0].Value.Uint64() > heap[1].Value.Uint64()+roomyHeap/4 {
		runtime.GC()
	}
}
