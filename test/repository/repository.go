// Package repository finds, for tests, the folder of this module and the programs that
// make has fetched into it. A program that is absent fails the test that needs it, with
// what to run.
package repository

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// Top is the folder of this module's go.mod, above the working directory.
func Top() (string, error) {
	dir, err := os.Getwd()
	for ; err == nil && dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if text, missing := os.ReadFile(filepath.Join(dir, "go.mod")); missing == nil && bytes.HasPrefix(text, []byte("module github.com/meshc/meshc\n")) {
			return dir, nil
		}
	}
	return "", errors.Join(err, errors.New("no go.mod of this module above the test"))
}

// Envoy is the binary that MESHC_ENVOY names, or that `make envoy` fetched.
func Envoy(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("MESHC_ENVOY"); path != "" {
		return path
	}
	top, err := Top()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(top, ".cache", "envoy", "envoy")
	if _, err := os.Stat(path); err != nil {
		t.Fatal("there is no Envoy: run make envoy, or set MESHC_ENVOY")
	}
	return path
}
