// Package policies judges a mesh by rules written in Rego: those of the library
// that is compiled in, and those that users keep beside their manifests. In come
// decoded objects and the resolved mesh, out come findings. Rules run in a
// sandbox: no network, no environment, no clock but the time of judgement, and
// bounds on work, memory and findings. What cannot be judged is a finding, never
// a pass. It knows neither Envoy nor clusters.
package policies

import (
	"slices"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
)

// Options say which rules a judge applies; the zero value is the library as it is.
type Options struct {
	// Files are the users' Rego files; those that end in _test.rego are left out.
	Files []*source.File
	// Config has the parameters and severities of meshc.yaml; nil: none.
	Config *syntax.Config
	// NoLibrary leaves the library out.
	NoLibrary bool
	// Only names the rules that are to be applied, the disabled ones among them too;
	// empty: all that are enabled.
	Only []diag.Code
	// Disabled applies the rules that are off until meshc.yaml names them, too.
	Disabled bool
	// Limits of a run; zero fields mean the defaults.
	Limits Limits
}

// Judge is a compiled set of rules. It holds no state: it is safe for concurrent
// use, and meant to be loaded once and used for as long as the rules are the same.
type Judge struct {
	rules   []*Rule // in order of code
	known   []*Rule // those that are off as well
	program *program
	limits  Limits
}

// Load reads, checks and compiles rules. The judge is never nil; rules with a
// fault are left out of it, and the findings say so.
func Load(opts Options) (*Judge, diag.List) {
	j := &Judge{limits: opts.Limits.withDefaults()}
	modules, found := library(opts)
	user, faults := readModules(opts.Files)
	found.Add(faults...)
	modules = append(modules, user...)

	modules, faults = unique(modules)
	found.Add(faults...)
	found.Add(settings(modules, opts.Config)...)
	for _, m := range modules {
		if m.rule != nil {
			j.known = append(j.known, m.rule)
		}
	}
	slices.SortFunc(j.known, func(a, b *Rule) int { return compareCodes(a.Code, b.Code) })
	if !opts.Disabled {
		modules = enabled(modules, opts.Only)
	}
	j.program, faults = compile(modules)
	found.Add(faults...)
	for _, m := range j.program.modules {
		if m.rule != nil {
			j.rules = append(j.rules, m.rule)
		}
	}
	slices.SortFunc(j.rules, func(a, b *Rule) int { return compareCodes(a.Code, b.Code) })
	faults = j.program.prepare(j.rules)
	found.Add(faults...)
	return j, found
}

// Rules are the rules that the judge applies, in order of code.
func (j *Judge) Rules() []*Rule { return slices.Clone(j.rules) }

// Known are the rules that could be read, those that are off among them.
func (j *Judge) Known() []*Rule { return slices.Clone(j.known) }

// Comparing is the judge without the rules that do not compare with the state before.
func (j *Judge) Comparing() *Judge {
	out := *j
	out.rules = slices.DeleteFunc(slices.Clone(j.rules), func(r *Rule) bool { return !r.Compares })
	return &out
}

// Of is the judge whose rules of scope object judge no kinds but these.
func (j *Judge) Of(kinds ...string) *Judge {
	out, program := *j, *j.program
	program.queries = map[string][]*query{}
	for _, kind := range append(kinds, string(ScopeNamespace), string(ScopeMesh)) {
		if q := j.program.queries[kind]; q != nil {
			program.queries[kind] = q
		}
	}
	out.program = &program
	return &out
}

// Failed tells whether the findings say that rules could not be judged: a run
// with one of them is no verdict (exit code 4).
func Failed(found diag.List) bool {
	return slices.ContainsFunc(found, func(f diag.Finding) bool { return slices.Contains(failures, f.Code) })
}

// failures are the codes of rules that could not be loaded or run.
var failures = []diag.Code{
	CodeSyntax, CodeCompile, CodeForbidden, CodeMetadata, CodeFailed, CodeLimit, CodeCrashed, CodeResult, CodeNoRules,
	CodeUnpinned, CodeNotAtHand, CodeDamaged, CodeUntrusted, CodeForeign,
}
