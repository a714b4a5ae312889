package main

import (
	"bytes"
	"slices"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
)

// unread finds facts that the lock pins and nothing needed: neither what was compiled
// nor any other environment of meshc.yaml that shares the lock.
func (c *compilation) unread() diag.List {
	out := unneeded(c.Lock.Known.Facts, c.Used.Facts)
	help := "run `meshc lock`, which leaves it out"
	if len(out) > 0 && len(c.Config.Environments) > 0 {
		help = "run `meshc lock --all-envs`, which leaves it out"
		for _, env := range append([]string{""}, c.Config.Environments...) {
			if env != c.Tree.Environment && len(out) > 0 {
				out = unneeded(out, c.neededIn(env))
			}
		}
	}
	var found diag.List
	for _, f := range out {
		found.Add(diag.New("MSH0207", f.At, "nothing needs the fact about %s/%s any more", f.Namespace, f.Name).WithHelp("%s", help))
	}
	return found
}

// unneeded are the facts of a lock that are not among those that were read of it.
func unneeded(facts, read []ir.Fact) []ir.Fact {
	at := map[diag.Span]bool{}
	for _, f := range read {
		at[f.At] = true
	}
	return slices.DeleteFunc(slices.Clone(facts), func(f ir.Fact) bool { return at[f.At] })
}

// neededIn are the facts of this lock that another environment reads; none where that
// one has a lock of its own. What is wrong with it is told by who compiles it.
func (c *compilation) neededIn(env string) []ir.Fact {
	stdin, _ := c.Tree.Text(source.StdinName)
	tree, _, err := source.Load(source.Options{Paths: c.paths, Stdin: bytes.NewReader(stdin), Environment: env, RuleSets: keptRules})
	if err != nil || lockPath(tree, c.paths) != c.Lock.Path {
		return nil
	}
	result, _ := compiler.Compile(tree, c.Lock.Known, compiler.Options{Now: c.Now, NoPlan: true, NoRules: true})
	return result.Used.Facts
}
