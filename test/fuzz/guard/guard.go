// Package guard holds what reads hostile input to a bound: a test that hangs or
// that takes memory without measure fails, and says so, instead of taking the
// machine down. It knows nothing of what is tested.
package guard

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

// patience is how long one input may take before it counts as a hang. It is no
// measure of speed: the inputs take milliseconds, on a machine that is ten times
// too busy as well.
const patience = 2 * time.Minute

// Run calls f, which reads hostile input, and fails when it allocates more than
// most bytes in all. It ends the process when f does not end at all: a goroutine
// cannot be stopped, and a fuzzing worker that ends leaves its input behind.
func Run(t testing.TB, most uint64, f func()) {
	t.Helper()
	hangs := time.AfterFunc(patience, func() {
		fmt.Fprintf(os.Stderr, "%s: one input has been read for %s: it counts as a hang\n", t.Name(), patience)
		debug.SetTraceback("all")
		panic("guard: an input hangs")
	})
	defer hangs.Stop()
	before := allocated()
	f()
	if used := allocated() - before; used > most {
		t.Fatalf("reading the input took %d KiB of memory, more than %d KiB", used>>10, most>>10)
	}
}

// allocated is how many bytes this process has ever taken, those of other
// goroutines too.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}
