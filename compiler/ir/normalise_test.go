package ir_test

import (
	"bufio"
	"fmt"
	"os"
	"testing"

	"github.com/meshc/meshc/compiler/ir"
)

// The file holds what Envoy 1.40.0 made of 400 paths with normalize_path,
// merge_slashes and REJECT_REQUEST: the path, the status, the path it forwards.
// Where this test fails, a verdict says something else than the proxy will do.
func TestNormalisePathIsEnvoys(t *testing.T) {
	f, err := os.Open("testdata/normalise-envoy-1.40.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := 0
	for s := bufio.NewScanner(f); s.Scan(); lines++ {
		var path, want string
		var status int
		if _, err := fmt.Sscanf(s.Text(), "%q %d %q", &path, &status, &want); err != nil {
			t.Fatalf("line %d: %v", lines+1, err)
		}
		got, ok := ir.NormalisePath(path)
		if ok != (status == 200) || got != want {
			t.Errorf("%s: Envoy answers %d and forwards %q, we say %v and %q", path, status, want, ok, got)
		}
	}
	if lines < 400 {
		t.Errorf("only %d facts were read", lines)
	}
}

func FuzzNormalisePath(f *testing.F) {
	for _, seed := range []string{"/", "/a/../b", "/%2e%2e;/x", "/%%36%31", "//", "/%"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		once, ok := ir.NormalisePath(path)
		if ok && once[0] != '/' {
			t.Errorf("%q became %q, which is no path", path, once)
		}
	})
}
