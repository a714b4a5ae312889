package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/resolve"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
)

// lockFile is meshc.lock as it was read; Data is nil when there is none.
type lockFile struct {
	Path  string
	Data  []byte
	Known ir.Known
}

// readLock reads the lock that meshc.yaml names; without a meshc.yaml, the
// meshc.lock in the first folder that is built.
func readLock(tree *source.Tree, paths []string) (lockFile, diag.List, error) {
	lock := lockFile{Path: lockPath(tree, paths)}
	data, err := os.ReadFile(filepath.FromSlash(lock.Path))
	if errors.Is(err, fs.ErrNotExist) {
		return lock, nil, nil
	}
	if err != nil {
		return lock, nil, err
	}
	var findings diag.List
	lock.Data = append([]byte{}, data...)
	lock.Known, findings = resolve.ParseLock(lock.Path, data)
	return lock, findings, nil
}

// readLockIn is readLock in a file system that is the whole tree.
func readLockIn(fsys fs.FS, tree *source.Tree, paths []string) (lockFile, diag.List, error) {
	lock := lockFile{Path: lockName}
	if tree.Config != nil {
		lock.Path = lockPath(tree, nil)
	} else {
		for _, p := range paths {
			if info, err := fs.Stat(fsys, p); err == nil && info.IsDir() {
				lock.Path = path.Join(p, lockName)
				break
			}
		}
	}
	data, err := fs.ReadFile(fsys, lock.Path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
		return lock, nil, nil
	}
	if err != nil {
		return lock, nil, err
	}
	var findings diag.List
	lock.Data = append([]byte{}, data...)
	lock.Known, findings = resolve.ParseLock(lock.Path, data)
	return lock, findings, nil
}

// same tells whether two locks are one file that says the same.
func (l lockFile) same(other lockFile) bool {
	return l.Path == other.Path && l.sameText(other)
}

// sameText tells whether two locks say the same, wherever they lie.
func (l lockFile) sameText(other lockFile) bool {
	return (l.Data == nil) == (other.Data == nil) && bytes.Equal(l.Data, other.Data)
}

const lockName = "meshc.lock"

func lockPath(tree *source.Tree, paths []string) string {
	if tree.Config != nil {
		name := configOf(tree).Lock.File
		switch {
		case name == "":
			name = lockName
		case path.IsAbs(name):
			return path.Clean(name)
		}
		return path.Join(tree.Dir(), name)
	}
	for _, p := range paths {
		if info, err := os.Stat(p); err == nil && info.IsDir() {
			return path.Join(filepath.ToSlash(p), lockName)
		}
	}
	return lockName
}

// configOf decodes meshc.yaml alone. Its findings are left to the compilation.
func configOf(tree *source.Tree) *syntax.Config {
	files, _ := syntax.Parse(&source.Tree{Config: tree.Config, Environment: tree.Environment, Limits: tree.Limits})
	return files.Config
}

// environments lists the environments of the meshc.yaml that rules the paths.
func environments(s streams, paths []string) ([]string, error) {
	tree, _, err := source.Load(source.Options{Paths: paths, Stdin: s.In, RuleSets: keptRules})
	if tree == nil || tree.Config == nil {
		if err != nil {
			return nil, input(err)
		}
		return nil, usage(errors.New("--all-envs needs a meshc.yaml with environments"))
	}
	names := configOf(tree).Environments
	if len(names) == 0 {
		return nil, usage(errors.New(tree.Config.Path + " has no environments"))
	}
	return names, nil
}

// lockedFlags say how strictly the lock is taken.
type lockedFlags struct {
	locked      bool
	failOnStale bool
}

func (f *lockedFlags) add(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.locked, "locked", false, "fail if meshc.lock is not exactly what the policy needs")
	cmd.Flags().BoolVar(&f.failOnStale, "fail-on-stale", false, "fail if meshc.lock is older than lock.maxAge")
}

// check judges the lock by the flags.
func (f *lockedFlags) check(c *compilation) diag.List {
	var out diag.List
	if stale, ok := c.Lock.stale(c.Config, c.Now); ok {
		if f.failOnStale {
			stale.Severity = diag.Error
		}
		out.Add(stale)
	}
	if f.locked {
		out.Add(c.unread()...)
	}
	return out
}

// stale tells whether the lock is older than meshc.yaml allows.
func (l lockFile) stale(config *syntax.Config, now time.Time) (diag.Finding, bool) {
	if l.Data == nil {
		return diag.Finding{}, false
	}
	return resolve.StaleLock(l.Path, l.Known, config.Lock.MaxAge, now)
}
