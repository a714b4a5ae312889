package main

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// testClockEnv must be 1 for --test-clock to count: nobody sets a server's clock
// by a slip.
const testClockEnv = "MESHC_TEST_CLOCK"

// testClock is a clock that is off by the duration written in a file, which is
// read anew each time; without a file it is the machine's own. The machine's
// monotonic clock is left out: a step is seen by whoever compares two times.
func testClock(path string) (func() time.Time, error) {
	if path == "" {
		return time.Now, nil
	}
	if os.Getenv(testClockEnv) != "1" {
		return nil, usage(fmt.Errorf("--test-clock is for tests of meshc itself: it sets the clock by which certificates are issued, and counts only where %s is 1", testClockEnv))
	}
	if _, err := clockOffset(path); err != nil {
		return nil, usage(fmt.Errorf("--test-clock: %w", err))
	}
	return func() time.Time {
		off, _ := clockOffset(path) // a file that is gone: the clock is right
		return time.Now().Round(0).Add(off)
	}, nil
}

func clockOffset(path string) (time.Duration, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return time.ParseDuration(strings.TrimSpace(string(text)))
}
