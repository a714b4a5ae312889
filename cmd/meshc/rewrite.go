package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/fix"
	"github.com/meshc/meshc/compiler/source"
)

// closed says why a file that a finding points into is not meshc's to change; "":
// it is.
func (c *compilation) closed(name string) string {
	ours := slices.ContainsFunc(c.Tree.Files, func(f *source.File) bool { return f.Path == name }) ||
		c.Tree.Config != nil && c.Tree.Config.Path == name || c.judging != nil && c.judging.name == name
	switch {
	case name == source.StdinName || strings.HasPrefix(name, source.StdinName+" ("):
		return "it came from standard input: mend it where it is made"
	case name == c.Lock.Path:
		return "the lock is written by meshc lock"
	case !ours:
		return "a kustomization renders it, and what else does is not known: mend it by hand"
	}
	if info, err := os.Stat(filepath.FromSlash(name)); err != nil || !info.Mode().IsRegular() {
		return "it is not a file that can be written"
	}
	return ""
}

// rewrite gives files another text, each in one step, with the mode it had. A file
// that somebody has changed since it was read stays as it is.
func rewrite(files []fix.File) error {
	for _, f := range files {
		path, err := filepath.EvalSymlinks(filepath.FromSlash(f.Path))
		if err != nil {
			return err
		}
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		now, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if !bytes.Equal(now, f.Before) {
			return fmt.Errorf("%s was changed by somebody else meanwhile: run it again", f.Path)
		}
		if err := errors.Join(replaceFile(path, f.After), os.Chmod(path, info.Mode().Perm())); err != nil {
			return err
		}
	}
	return nil
}
