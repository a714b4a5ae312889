package policies

import (
	"strings"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/syntax"
)

// settings lays parameters and severities of meshc.yaml over those of the rules.
func settings(modules []*module, config *syntax.Config) diag.List {
	if config == nil || config.Object == nil {
		return nil
	}
	var found diag.List
	var codes []string
	rules := map[string]*Rule{}
	for _, m := range modules {
		if m.rule != nil {
			rules[string(m.rule.Code)] = m.rule
			codes = append(codes, string(m.rule.Code))
		}
	}
	unknown := func(code string, path []any) {
		f := diag.New(CodeSetting, config.Object.AtKey(path...), "there is no rule %q", code).
			WithHelp("see `meshc policy list`").About(config.Object.Ref(), syntax.PathText(path))
		if near := diag.Nearest(code, codes); near != "" {
			f = f.WithHelp("did you mean %q?", near)
		}
		found.Add(f)
	}
	for _, s := range config.Rules.Severity {
		rule, known := rules[s.Code]
		if !known {
			if own, builtin := diag.Lookup(diag.Code(s.Code)); !builtin {
				unknown(s.Code, s.Path)
			} else if level, err := diag.ParseSeverity(s.Severity); !own.Code.Waivable() && (err != nil || level != own.Build) {
				found.Add(diag.New(CodeSetting, config.Object.At(s.Path...), "%s is always of severity %s: it cannot be %q", s.Code, own.Build, s.Severity).
					WithEffect("errors say what does not compile, and MSH0xxx what meshc itself could not do").
					WithHelp("mend what it finds").About(config.Object.Ref(), syntax.PathText(s.Path)))
			}
			continue
		}
		rule.Disabled = false
		for _, stage := range stages {
			rule.Levels[stage] = Level(s.Severity)
		}
	}
	for _, p := range config.Rules.Params {
		rule, known := rules[p.Code]
		if !known {
			unknown(p.Code, p.Path[:len(p.Path)-1])
			continue
		}
		if f, ok := rule.setParam(p, config.Object); !ok {
			found.Add(f)
		}
	}
	return found
}

// setParam gives a parameter its value; ok is false, with a finding, if it has
// no such parameter or another type.
func (r *Rule) setParam(p syntax.RuleParam, config *syntax.Object) (f diag.Finding, ok bool) {
	spec, known := r.param(p.Name)
	if !known {
		var have []string
		for _, own := range r.Params {
			have = append(have, own.Name)
		}
		f = diag.New(CodeSetting, config.AtKey(p.Path...), "the rule %s has no parameter %q", r.Code, p.Name).
			WithHelp("it has %s", strings.Join(have, ", "))
		if len(have) == 0 {
			f = f.WithHelp("it has no parameters")
		}
		if near := diag.Nearest(p.Name, have); near != "" {
			f = f.WithHelp("did you mean %q?", near)
		}
		return f.About(config.Ref(), syntax.PathText(p.Path)), false
	}
	if typeOf(p.Value) != spec.Type {
		f = diag.New(CodeSetting, config.At(p.Path...), "the parameter %q of %s takes a value of type %s, not %s", p.Name, r.Code, spec.Type, typeOf(p.Value)).
			WithEffect("the rule would judge something else than what is meant")
		return f.About(config.Ref(), syntax.PathText(p.Path)), false
	}
	if r.set == nil {
		r.set = map[string]any{}
	}
	r.set[p.Name] = p.Value
	return f, true
}
