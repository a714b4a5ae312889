package state_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/meshc/meshc/catalog/state"
)

func TestWriteReplacesWholeFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	a, b := strings.Repeat("a", 1<<16), strings.Repeat("b", 1<<16)
	if err := state.Write(path, []byte(a)); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range 50 {
			if err := state.Write(path, []byte([]string{a, b}[i%2])); err != nil {
				t.Error(err)
			}
		}
	})
	for range 200 {
		got, err := state.Read(path)
		if err != nil || string(got) != a && string(got) != b {
			t.Fatalf("a reader saw %d bytes that nobody wrote (%v)", len(got), err)
		}
	}
	wg.Wait()
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("temporary files are left: %v, %v", left, err)
	}
}

func TestCreateHasOneWinner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	errs := make(chan error, 8)
	for range 8 {
		go func() { errs <- state.Create(path, []byte("x")) }()
	}
	won := 0
	for range 8 {
		if err := <-errs; err == nil {
			won++
		} else if !errors.Is(err, fs.ErrExist) {
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d processes believe that their key is the one", won)
	}
}

func TestLooseModesAreRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "state")
	if err := state.Dir(dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "f")
	if err := state.Write(path, []byte("x")); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, dir} {
		if err := os.Chmod(p, 0o770); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := state.Read(path); err == nil {
		t.Error("a file that a group may read was taken")
	}
	if err := state.Dir(dir); err == nil {
		t.Error("a folder that a group may enter was taken")
	}
	if err := state.Dir(path); err == nil {
		t.Error("a file passes for a folder")
	}
}

func TestLockIsExclusive(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "count")
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			unlock, err := state.Lock(dir)
			if err != nil {
				t.Error(err)
				return
			}
			defer unlock()
			old, err := os.ReadFile(path)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Error(err)
			}
			if err := os.WriteFile(path, append(old, '.'), 0o600); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got, err := os.ReadFile(path); err != nil || len(got) != 20 {
		t.Errorf("%d of 20 changes survived (%v)", len(got), err)
	}
}
