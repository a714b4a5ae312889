package main

import (
	"bytes"
	"slices"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/allow"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/diff"
	"github.com/meshc/meshc/compiler/source"
)

// allowedElsewhere is what edits allow in an environment that was not asked about.
type allowedElsewhere struct {
	Environment string       `json:"environment"` // empty: the mesh without one
	Changes     diff.Changes `json:"changes"`
}

// with is the tree of an environment with edited files. What kustomizations render of
// them is rendered anew; now is that tree before, nil where it is not at hand.
func (g *granting) with(edited map[string][]byte, now *source.Tree, env string) (*source.Tree, diag.List) {
	if now == nil || len(now.Builds) > 0 {
		stdin, _ := g.compilation.Tree.Text(source.StdinName)
		tree, found, err := source.Load(source.Options{Paths: g.paths, Stdin: bytes.NewReader(stdin), Environment: env, RuleSets: keptRules, Instead: edited})
		if faults := onlyErrors(found); len(faults) > 0 {
			return nil, faults
		}
		if err != nil {
			return nil, diag.List{diag.New("MSH4652", diag.Span{File: commandLine, Line: 1, Col: 1}, "with the grant the sources cannot be read: %v", err)}
		}
		now = tree
	}
	for path, data := range edited {
		_, there := now.Text(path)
		switch _, had := g.compilation.Tree.Text(path); {
		case slices.ContainsFunc(now.Files, func(f *source.File) bool { return f.Path == path }),
			!had && !there: // a table that is new
			now = now.With(path, data)
		}
	}
	return now, nil
}

// inOthers is what edits allow in the environments that were not asked about, and what
// they break there.
func (g *granting) inOthers(edited map[string][]byte) ([]allowedElsewhere, diag.List) {
	var out []allowedElsewhere
	if len(g.Config.Environments) == 0 {
		return nil, nil
	}
	for _, env := range append([]string{""}, g.Config.Environments...) {
		if env == g.compilation.Tree.Environment {
			continue
		}
		before, faults := g.with(nil, nil, env)
		if len(faults) > 0 {
			continue // it is broken as it is, and its own check says how
		}
		lock, faults, err := readLock(before, g.paths) // it may have one of its own
		if faults.HasErrors() || err != nil {
			continue
		}
		was, found := compiler.Compile(before, lock.Known, compiler.Options{Now: g.Now, NoPlan: true, NoRules: true})
		if found.HasErrors() {
			continue
		}
		after, faults := g.with(edited, nil, env)
		if len(faults) > 0 {
			return nil, faults
		}
		is, found := compiler.Compile(after, lock.Known, compiler.Options{Now: g.Now, NoPlan: true, NoRules: true})
		if found.HasErrors() {
			return nil, onlyErrors(found)
		}
		if changes := diff.Meshes(allow.Strict(was.Mesh), allow.Strict(is.Mesh)); len(changes) > 0 {
			out = append(out, allowedElsewhere{env, changes})
		}
	}
	return out, nil
}
