package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/diff"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
	gitstore "github.com/meshc/meshc/gitops/git"
)

// sideName is what a side of a comparison is called.
type sideName struct {
	Name         string `json:"name"`             // as the user named it
	Commit       string `json:"commit,omitempty"` // of a revision
	PolicyDigest string `json:"policyDigest,omitempty"`
	Absent       bool   `json:"absent,omitempty"` // the path is not at that revision: an empty mesh
}

// diffSide is one side: sources, on disk or at a commit, or a bundle.
type diffSide struct {
	sideName
	paths  []string
	tree   *gitstore.Tree       // of a revision
	repo   *gitstore.Repository // of a revision
	bundle *bundle.Bundle
	// files names the content of every file that was read; nil of a bundle.
	files map[[sha256.Size]byte]int
}

func (d *diffSide) close() {
	if d.tree != nil {
		_ = d.tree.Close() // it was read from only
	}
}

// present is the files as they are now.
func (f *diffFlags) present() (*diffSide, error) {
	paths := f.paths
	if len(paths) == 0 {
		paths = []string{"."}
	}
	return &diffSide{sideName: sideName{Name: strings.Join(paths, " ")}, paths: paths}, nil
}

// meaning is a side in one environment.
type meaning struct {
	tree     *source.Tree // nil of a bundle, and where nothing is
	lock     lockFile
	mesh     *ir.Mesh
	plan     *ir.Plan
	judging  diff.Judging
	settings settings
	findings diag.List
	sources  diag.Sources
	objects  int // that were read; a bundle counts as one
}

// load reads a side's sources.
func (d *diffSide) load(s streams, env string) (*source.Tree, lockFile, diag.List, error) {
	opts := source.Options{Paths: d.paths, Stdin: s.In, Environment: env, RuleSets: keptRules}
	if d.tree == nil {
		tree, findings, err := source.Load(opts)
		if err != nil {
			return tree, lockFile{}, findings, err
		}
		lock, faults, err := readLock(tree, d.paths)
		findings.Add(faults...)
		return tree, lock, findings, err
	}
	tree, findings, err := source.LoadFS(d.tree, opts)
	if err != nil {
		return tree, lockFile{}, findings, err
	}
	lock, faults, err := readLockIn(d.tree, tree, d.paths)
	findings.Add(faults...)
	return tree, lock, findings, err
}

// mean compiles a side. Its plan is nil when it has errors.
func (d *diffSide) mean(s streams, env string) (*meaning, error) {
	if d.bundle != nil {
		return &meaning{mesh: d.bundle.Mesh, plan: d.bundle.Plan, objects: 1}, nil
	}
	now, err := judgement()
	if err != nil {
		return nil, usage(err)
	}
	tree, lock, findings, err := d.load(s, env)
	if err != nil {
		if d.tree != nil && errors.Is(err, fs.ErrNotExist) && len(findings) == 0 {
			d.Absent = true
			return &meaning{mesh: &ir.Mesh{}, plan: &ir.Plan{}}, nil
		}
		return nil, input(fmt.Errorf("%s: %w", d.Name, err))
	}
	// Rules have no say in what a mesh means: what judges is compared apart.
	result, more := compiler.Compile(tree, lock.Known, compiler.Options{Now: now, NoVerify: true, NoRules: true})
	findings.Add(more...)
	d.keep(tree, lock)
	m := &meaning{tree: tree, lock: lock, objects: result.Objects, mesh: result.Mesh, plan: result.Plan, findings: findings, settings: settingsOf(tree, env), sources: func(name string) ([]byte, bool) {
		if name == lock.Path {
			return lock.Data, true
		}
		return tree.Text(name)
	}}
	m.judging, err = judgingOf(tree, env, d.walk)
	if err != nil {
		return nil, input(fmt.Errorf("%s: %w", d.Name, err))
	}
	return m, nil
}

// keep remembers what the files of a side say, whatever their names.
func (d *diffSide) keep(tree *source.Tree, lock lockFile) {
	if d.files == nil {
		d.files = map[[sha256.Size]byte]int{}
		if lock.Data != nil {
			d.files[sha256.Sum256(lock.Data)]++
		}
	}
	for _, name := range tree.Names() {
		if data, ok := tree.Text(name); ok {
			d.files[sha256.Sum256(data)]++
		}
	}
}

// filesChanged counts the files of one side that the other has not.
func filesChanged(base, head *diffSide) int {
	if base.files == nil || head.files == nil {
		return 0
	}
	lacking := func(a, b map[[sha256.Size]byte]int) (n int) {
		for sum := range a {
			if b[sum] == 0 {
				n++
			}
		}
		return n
	}
	return max(lacking(base.files, head.files), lacking(head.files, base.files))
}
