package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/diff"
	"github.com/meshc/meshc/compiler/ir"
)

// environments are those to compare; "" is the mesh as it is without one.
func (f *diffFlags) environments(base, head *diffSide) ([]string, error) {
	if !f.allEnvs {
		return []string{f.env}, nil
	}
	if base.bundle != nil || head.bundle != nil {
		return nil, usage(errors.New("--all-envs compares sources; a bundle is of one environment"))
	}
	a, err := base.environments()
	if err != nil {
		return nil, err
	}
	b, err := head.environments()
	if err != nil {
		return nil, err
	}
	var all []string
	for _, name := range slices.Concat(b, a) {
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	if len(all) == 0 {
		return nil, usage(errors.New("--all-envs needs a meshc.yaml with environments"))
	}
	return all, nil
}

// environments are the names that a side's meshc.yaml has.
func (d *diffSide) environments() ([]string, error) {
	tree, _, _, err := d.load(streams{}, "")
	if tree == nil || tree.Config == nil {
		if err != nil && d.tree == nil {
			return nil, input(fmt.Errorf("%s: %w", d.Name, err))
		}
		return nil, nil
	}
	return configOf(tree).Environments, nil
}

// compareIn compares the sides in one environment. An environment that only one
// side has is compared with the other side's mesh without one.
func (f *diffFlags) compareIn(s streams, env string, base, head *diffSide) (compared, error) {
	var none compared
	after, err := head.mean(s, head.has(env, f.allEnvs))
	if err != nil {
		return none, err
	}
	if err := f.broken(s, head, after); err != nil {
		return none, err
	}
	before, err := base.mean(s, base.has(env, f.allEnvs))
	if err != nil {
		return none, err
	}
	if err := f.broken(s, base, before); err != nil {
		if exitCode(err) == exitFindings {
			return none, engine(fmt.Errorf("%s does not compile: what it allowed is not known", base.Name))
		}
		return none, err
	}
	if before.objects+after.objects == 0 {
		return none, engine(errors.New("nothing was compared: neither side has a document of a kind that a mesh reads"))
	}
	if base.Absent {
		before.mesh = nothing(after.mesh)
	} else if head.Absent {
		after.mesh = nothing(before.mesh)
	}
	out := compared{changes: diff.Meshes(before.mesh, after.mesh)}
	locate(out.changes, before.settings, after.settings)
	var from *judges
	if f.rulesFrom != "" && head.bundle == nil {
		if from, err = rulesFrom(f.rulesFrom, f.paths, env, f.registry); err != nil {
			return none, err
		}
	}
	out.changes = append(out.changes, f.rules(from, base, head, before, after)...)
	if before.plan != nil && after.plan != nil {
		out.proxies = diff.Plans(before.plan, after.plan)
	}
	out.findings, err = f.judged(s, from, before, after)
	return out, err
}

// compared is what a comparison in one environment tells.
type compared struct {
	changes  diff.Changes
	proxies  diff.Proxies
	findings diag.List // of rules that compare
}

// nothing is a mesh in which nobody may do anything, beside one that is there.
func nothing(beside *ir.Mesh) *ir.Mesh {
	m := &ir.Mesh{Settings: beside.Settings}
	m.Settings.Mode, m.Settings.EgressAllowed, m.Settings.PlaintextAllowed = ir.Strict, false, false
	return m
}

// has is the environment to compile a side in.
func (d *diffSide) has(env string, all bool) string {
	if !all || d.bundle != nil {
		return env
	}
	if names, err := d.environments(); err == nil && !slices.Contains(names, env) {
		return ""
	}
	return env
}

// broken reports the errors of a side that does not compile.
func (f *diffFlags) broken(s streams, d *diffSide, m *meaning) error {
	var errs diag.List
	for _, finding := range m.findings {
		if finding.Severity == diag.Error && finding.Counts() {
			errs.Add(finding)
		}
	}
	if len(errs) == 0 {
		return nil
	}
	fmt.Fprintf(s.Err, "%s:\n", d.Name)
	return f.report.emit(s, errs, m.sources)
}

// rules compares what judges; from is what --rules-from names. A bundle tells nothing
// of it.
func (f *diffFlags) rules(from *judges, base, head *diffSide, before, after *meaning) diff.Changes {
	switch {
	case from != nil:
		return diff.Rules(from.judging(after.judging), after.judging, usualLevels)
	case base.bundle != nil || head.bundle != nil || base.Absent || head.Absent:
		return nil
	}
	return diff.Rules(before.judging, after.judging, usualLevels)
}

// short is the name of a side for people.
func (n sideName) short() string {
	if n.Commit != "" && !strings.HasPrefix(n.Commit, n.Name) {
		return fmt.Sprintf("%s (%s)", n.Name, n.Commit[:10])
	}
	if n.Commit != "" {
		return n.Commit[:10]
	}
	if n.Name == "." {
		return "the files now"
	}
	return n.Name
}
