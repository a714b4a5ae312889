package policies

import (
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
)

// The codes of what Lint and Unproved find.
const (
	CodeTerse      diag.Code = "MSH0620" // says too little of itself
	CodeReserved   diag.Code = "MSH0621" // takes a code of meshc's own
	CodeParamHelp  diag.Code = "MSH0622" // a parameter that is not explained
	CodeParamIdle  diag.Code = "MSH0623" // a parameter that is not used
	CodeHidden     diag.Code = "MSH0624" // a helper that hides the rule index
	CodeKindGuard  diag.Code = "MSH0625" // a guard for what meshc sees to
	CodePairs      diag.Code = "MSH0626" // loops over loops
	CodeDead       diag.Code = "MSH0627" // is used by no deny
	CodeUnproved   diag.Code = "MSH0628" // a deny that no test needs
	CodeIdle       diag.Code = "MSH0629" // a condition that no test needs
	CodeSamples    diag.Code = "MSH0630" // has no good or no bad sample
	CodeDeprecated diag.Code = "MSH0631" // calls what OPA has given up
)

// Lint judges how rules are written, not what they find. The files are all that
// belong together: rules and the functions that they share; tests are passed over.
// Findings of rules that cannot be judged by are among those it gives.
func Lint(files []*source.File) diag.List {
	var found diag.List
	at := map[diag.Span]bool{}
	for _, f := range deprecatedCalls(files) {
		at[f.At()] = true
		found.Add(f)
	}
	modules, faults := readModules(files)
	for _, f := range faults {
		if f.Code != CodeForbidden || !at[f.At()] {
			found.Add(f)
		}
	}
	modules, faults = unique(modules)
	found.Add(faults...)
	p, faults := compile(modules)
	found.Add(faults...)
	for _, m := range p.modules {
		if m.rule != nil {
			found.Add(m.rule.terse()...)
		}
	}
	if p.compiler != nil && len(p.modules) > 0 {
		l := &linter{program: p}
		l.lint()
		found.Add(l.found...)
	}
	return found.Sorted()
}

// terse finds what a rule does not say of itself.
func (r *Rule) terse() diag.List {
	var found diag.List
	say := func(code diag.Code, help, format string, args ...any) {
		found.Add(diag.New(code, r.At, format, args...).WithHelp("%s", help))
	}
	if r.Description == "" {
		say(CodeTerse, "write `description:`: what the rule finds and why that matters, in a few sentences", "the rule %s has no description", r.Code)
	}
	if r.Help == "" {
		say(CodeTerse, "write `help:` under custom.meshc: what somebody shall do whose object is found", "the rule %s has no help", r.Code)
	}
	if first := r.Title[:1]; strings.HasSuffix(r.Title, ".") || first != strings.ToLower(first) && len(r.Title) > 1 && r.Title[1:2] == strings.ToLower(r.Title[1:2]) {
		say(CodeTerse, "write one plain sentence: lower case, without a stop", "the title of %s is %q", r.Code, r.Title)
	}
	if strings.HasPrefix(string(r.Code), "MSH") && !strings.HasPrefix(r.File, LibraryPath) {
		say(CodeReserved, "take a prefix of your own, such as SHOP001", "the code %s is one of meshc's own", r.Code)
	}
	for _, p := range r.Params {
		if p.Help == "" {
			say(CodeParamHelp, fmt.Sprintf("write `%s: {type: %s, default: ..., help: ...}`", p.Name, p.Type), "the parameter %q of %s is not explained", p.Name, r.Code)
		}
	}
	return found
}

// linter judges compiled modules: names are resolved in them, and loops stand as
// references with a key that nothing binds.
type linter struct {
	program *program
	found   diag.List
}

func (l *linter) lint() {
	live := l.live()
	for _, m := range l.program.modules {
		compiled := l.program.compiler.Modules[m.file]
		l.dead(m, compiled, live)
		if m.rule == nil {
			continue
		}
		l.idleParams(m.rule, compiled)
		l.guards(m.rule, compiled)
		for _, rule := range compiled.Rules {
			if live[rule] && len(rule.Head.Args) == 0 {
				l.pairs(m.rule, rule)
			}
		}
	}
}

// live are the rules that some deny needs.
func (l *linter) live() map[*ast.Rule]bool {
	live := map[*ast.Rule]bool{}
	var mark func(r *ast.Rule)
	mark = func(r *ast.Rule) {
		if live[r] {
			return
		}
		live[r] = true
		for dep := range l.program.compiler.Graph.Dependencies(r) {
			if next, ok := dep.(*ast.Rule); ok {
				mark(next)
			}
		}
	}
	for _, m := range l.program.modules {
		if m.rule == nil {
			continue
		}
		for _, r := range l.program.compiler.Modules[m.file].Rules {
			if r.Head.Name == entryRule {
				mark(r)
			}
		}
	}
	return live
}

func (l *linter) dead(m *module, compiled *ast.Module, live map[*ast.Rule]bool) {
	var names []string
	for _, r := range compiled.Rules {
		if name := r.Head.Ref().String(); !live[r] && !slices.Contains(names, name) {
			names = append(names, name)
			l.found.Add(diag.New(CodeDead, line(spanOf(r.Head.Location)), "%q is used by no deny", name).
				WithEffect("it is never evaluated; a rule that was meant to use it may judge less than it should").
				WithHelp("use it, or delete it"))
		}
	}
}

// idleParams finds parameters that the rule never reads.
func (l *linter) idleParams(rule *Rule, compiled *ast.Module) {
	used := map[string]bool{}
	all := false
	ast.WalkRefs(compiled, func(ref ast.Ref) bool {
		if len(ref) < 3 || !ref[0].Equal(ast.DefaultRootDocument) || !ref[1].Equal(ast.StringTerm(paramsRoot)) {
			return false
		}
		name, ok := ast.String(""), false
		if len(ref) > 3 {
			name, ok = ref[3].Value.(ast.String)
		}
		used[string(name)] = true
		all = all || !ok // read as a whole, or by a name that is computed
		return false
	})
	for _, p := range rule.Params {
		if !all && !used[p.Name] {
			l.found.Add(diag.New(CodeParamIdle, rule.At, "the parameter %q of %s is not used", p.Name, rule.Code).
				WithEffect("who sets it in meshc.yaml changes nothing").
				WithHelp("read data.params.%s in the rule, or take the parameter out", p.Name))
		}
	}
}

// instead is what to write in place of functions that OPA has given up.
var instead = map[string]string{
	"any": "write `true in x`", "all": "write `every v in x { v }`", "re_match": "call regex.match",
	"net.cidr_overlap": "call net.cidr_contains", "set_diff": "write `a - b`",
	"cast_array": "test with is_array", "cast_set": "test with is_set", "cast_string": "test with is_string",
	"cast_boolean": "test with is_boolean", "cast_null": "test with is_null", "cast_object": "test with is_object",
}

func deprecatedCalls(files []*source.File) diag.List {
	var found diag.List
	for _, f := range files {
		if strings.HasSuffix(f.Path, testSuffix) || len(f.Data) > maxRuleBytes {
			continue
		}
		m, err := ast.ParseModuleWithOpts(f.Path, string(f.Data), ast.ParserOptions{RegoVersion: ast.RegoV1})
		if err != nil || m == nil {
			continue // readModules tells
		}
		report := func(name string, loc *ast.Location) {
			b := ast.BuiltinMap[name]
			if at := spanOf(loc); b != nil && b.IsDeprecated() && !slices.ContainsFunc(found, func(f diag.Finding) bool { return f.At() == at }) {
				help := instead[b.Name]
				if help == "" {
					help = "see OPA's list of functions for what took its place"
				}
				found.Add(diag.New(CodeDeprecated, at, "%s is deprecated", name).WithHelp("%s", help))
			}
		}
		calls(m, report)
	}
	return found
}

// calls visits every call in a module, as an expression or within a term.
func calls(m *ast.Module, visit func(name string, at *ast.Location)) {
	ast.WalkExprs(m, func(e *ast.Expr) bool {
		if e.IsCall() {
			visit(e.Operator().String(), e.Location)
		}
		return false
	})
	ast.WalkTerms(m, func(t *ast.Term) bool {
		if call, ok := t.Value.(ast.Call); ok && len(call) > 0 {
			visit(call[0].String(), t.Location)
		}
		return false
	})
}
