package main

import (
	"os"
	"testing"
)

// asMeshc makes a process of this test binary meshc itself, so that tests can
// kill it without building another.
const asMeshc = "MESHC_TEST_PROCESS"

func TestMain(m *testing.M) {
	if os.Getenv(asMeshc) != "" {
		main()
	}
	os.Exit(m.Run())
}
