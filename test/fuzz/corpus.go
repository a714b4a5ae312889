package main

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// mostKept bounds an input that is kept in the repository, in bytes: a short one
// shows as much, and can be read.
const mostKept = 2 << 10

// keep copies what the target found interesting from the build cache to its
// testdata, where ordinary tests run it. The newest ones are kept: each was made
// from older ones and reaches further. It tells how many it kept.
func (t target) keep(root string, most int) (int, error) {
	cache, err := t.cache(root)
	if err != nil {
		return 0, err
	}
	entries, err := os.ReadDir(cache)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	type input struct {
		name string
		at   time.Time
	}
	var inputs []input
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return 0, err
		}
		if info.Mode().IsRegular() && info.Size() <= mostKept {
			inputs = append(inputs, input{e.Name(), info.ModTime()})
		}
	}
	slices.SortFunc(inputs, func(a, b input) int { return b.at.Compare(a.at) })
	inputs = inputs[:min(len(inputs), most)]
	to := filepath.Join(root, filepath.FromSlash(t.dir), "testdata", "fuzz", t.name)
	if err := os.MkdirAll(to, 0o755); err != nil {
		return 0, err
	}
	for _, in := range inputs {
		text, err := os.ReadFile(filepath.Join(cache, in.name))
		if err != nil {
			return 0, err
		}
		if err := os.WriteFile(filepath.Join(to, in.name), text, 0o644); err != nil {
			return 0, err
		}
	}
	return len(inputs), nil
}

// cache is the folder in which the go command keeps what the target found.
func (t target) cache(root string) (string, error) {
	ask := func(args ...string) (string, error) {
		cmd := exec.Command("go", args...)
		cmd.Dir = root
		out, err := cmd.Output()
		return strings.TrimSpace(string(out)), err
	}
	gocache, err := ask("env", "GOCACHE")
	if err != nil {
		return "", err
	}
	pkg, err := ask("list", "./"+t.dir)
	if err != nil {
		return "", err
	}
	return filepath.Join(gocache, "fuzz", filepath.FromSlash(pkg), t.name), nil
}
