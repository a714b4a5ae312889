package bench

import (
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Latency runs f as often as b wants, with the number of the run, and reports the
// median and the 99th percentile in microseconds: of the clock, and of what this thread
// used of the processors, which says more on a machine that others use as well.
func Latency(b *testing.B, f func(i int)) {
	b.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var took, processor []time.Duration
	for i := 0; b.Loop(); i++ {
		start, before := time.Now(), threadTime(b)
		f(i)
		took, processor = append(took, time.Since(start)), append(processor, threadTime(b)-before)
	}
	for name, d := range map[string][]time.Duration{"": took, "cpu-": processor} {
		slices.Sort(d)
		b.ReportMetric(float64(d[len(d)/2].Microseconds()), name+"p50-us")
		b.ReportMetric(float64(d[len(d)*99/100].Microseconds()), name+"p99-us")
	}
}

func threadTime(b *testing.B) time.Duration {
	b.Helper()
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		b.Fatal(err)
	}
	return time.Duration(t.Nano())
}
