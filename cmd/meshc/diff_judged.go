package main

import (
	"fmt"
	"slices"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/policies"
)

// foundBy is a finding of a rule that compares, with the environments it is found in.
type foundBy struct {
	Code         string   `json:"code"`
	Severity     string   `json:"severity"`
	Message      string   `json:"message"`
	Effect       string   `json:"effect,omitempty"`
	Object       string   `json:"object,omitempty"`
	File         string   `json:"file"`
	Line         int      `json:"line"`
	Col          int      `json:"col"`
	Environments []string `json:"environments,omitempty"`
	finding      diag.Finding
}

func (f foundBy) text() string {
	text := fmt.Sprintf("%s[%s]: %s", f.Severity, f.Code, f.Message)
	if f.Object != "" {
		text += ", " + f.Object
	}
	return text
}

// judged are the findings of rules that compare HEAD with BASE. Where a side is no
// source there is nothing to compare; a rule that cannot be judged by ends the run.
func (f *diffFlags) judged(s streams, from *judges, before, after *meaning) (diag.List, error) {
	if before.tree == nil || after.tree == nil {
		return nil, nil
	}
	now, err := judgement()
	if err != nil {
		return nil, usage(err)
	}
	opts := compiler.Options{Now: now, NoPlan: true, ComparingOnly: true}
	opts.Base = compiler.Before(before.tree, before.lock.Known, opts)
	rules, config := after.tree, configOf(after.tree)
	if from != nil {
		opts.Ruling = from.ruling()
		rules, config = opts.Ruling.Tree, opts.Ruling.Config
	}
	judge, _ := policies.For(rules, config) // what is wrong with rules is among the findings
	_, found := compiler.Compile(after.tree, after.lock.Known, opts)
	var failures, out diag.List
	for _, one := range found {
		switch {
		case unjudged(one):
			failures.Add(one)
		case one.Counts() && slices.ContainsFunc(judge.Comparing().Rules(), func(r *policies.Rule) bool { return r.Code == one.Code }):
			out.Add(one)
		}
	}
	if len(failures) > 0 {
		if err := f.report.emit(s, failures, after.sources); err != nil && exitCode(err) != exitFindings {
			return nil, err
		}
		return nil, failed(exitEngine)
	}
	f.sources = append(f.sources, after.sources)
	return out, nil
}

// addFindings takes in an environment's findings; one that several have is told once.
func (r *difference) addFindings(here []string, found diag.List) {
	for _, one := range found {
		at := one.At()
		told := foundBy{Code: string(one.Code), Severity: one.Severity.String(), Message: one.Message, Effect: one.Effect,
			File: at.File, Line: at.Line, Col: at.Col, Environments: here, finding: one}
		if one.Object != nil {
			told.Object = one.Object.String()
		}
		i := slices.IndexFunc(r.Findings, func(o foundBy) bool {
			return o.Code == told.Code && o.Severity == told.Severity && o.Message == told.Message && o.File == told.File && o.Line == told.Line && o.Col == told.Col
		})
		if i < 0 {
			r.Findings = append(r.Findings, told)
		} else {
			r.Findings[i].Environments = append(slices.Clone(r.Findings[i].Environments), here...)
		}
	}
}

// reported writes the findings in the formats that were asked for, and fails the run
// where one reaches --fail-on. The difference itself has them too.
func (f *diffFlags) reported(s streams, r *difference) error {
	var found diag.List
	for _, one := range r.Findings {
		found.Add(one.finding)
	}
	sources := func(name string) ([]byte, bool) {
		for _, of := range f.sources {
			if text, ok := of(name); ok {
				return text, true
			}
		}
		return nil, false
	}
	if len(f.report.reports) > 0 {
		return f.report.emit(s, found, sources)
	}
	judged, err := f.report.of(found, sources)
	if err != nil {
		return err
	}
	return judged.verdict()
}
