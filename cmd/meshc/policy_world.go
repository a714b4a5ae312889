package main

import (
	"fmt"
	"slices"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/policies"
)

// ruled loads paths, and gives the rules that judge them and what these rules see.
// An error means that there is nothing to judge, or that a rule cannot be judged by.
func (f *compileFlags) ruled(s streams, report *reportFlags, paths, only []string) (*policies.Judge, *policies.World, error) {
	own := *f
	own.noRules, own.noVerify = true, true
	c, err := own.compile(s, report, paths)
	if err != nil {
		return nil, nil, err
	}
	files, _ := syntax.Parse(c.Tree)
	opts := policies.Options{Files: c.Tree.Rules, Config: files.Config}
	for _, code := range only {
		opts.Only = append(opts.Only, diag.Code(code))
	}
	judge, found := policies.Load(opts)
	for _, code := range opts.Only {
		if !slices.ContainsFunc(judge.Known(), func(r *policies.Rule) bool { return r.Code == code }) {
			return nil, nil, usage(noSuchRule(code, judge))
		}
	}
	if policies.Failed(found) {
		if err := report.emit(s, found, c.text); err != nil && exitCode(err) != exitFindings {
			return nil, nil, err
		}
		return nil, nil, failed(exitEngine)
	}
	return judge, policies.NewWorld(files, c.Mesh, c.Inventory, c.Now), nil
}

func noSuchRule(code diag.Code, judge *policies.Judge) error {
	var codes []string
	for _, r := range judge.Known() {
		codes = append(codes, string(r.Code))
	}
	if near := diag.Nearest(string(code), codes); near != "" {
		return fmt.Errorf("there is no rule %q; did you mean %q?", code, near)
	}
	return fmt.Errorf("there is no rule %q: see 'meshc policy list'", code)
}
