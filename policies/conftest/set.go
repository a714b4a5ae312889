// Package conftest runs policies that were written for conftest as they are: on
// single documents or on all of them combined, in its namespaces, with its
// exceptions and data files, in Rego v0 or v1. In come Rego files and parsed
// documents, out come findings. There is no network and no environment, and what
// cannot be judged is a finding, never a pass.
package conftest

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"sigs.k8s.io/yaml"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/policies"
)

// Options say which policies to run; the zero value runs the namespace main.
type Options struct {
	// Policies are the Rego files, tests among them.
	Policies []*source.File
	// Data are YAML and JSON files; they are laid together under data.
	Data []*source.File
	// Namespaces are the packages whose rules judge; empty: main.
	Namespaces []string
	// AllNamespaces judges by the rules of every package.
	AllNamespaces bool
	// TestsOnly takes policies that judge nothing, too.
	TestsOnly bool
	// Limits of a run; zero fields mean the defaults.
	Limits policies.Limits
}

// Set is a compiled set of policies.
type Set struct {
	compiler *ast.Compiler
	modules  []*ast.Module
	store    storage.Store
	rules    []rule
	limits   policies.Limits
}

// rule is one name in one namespace, however often it is defined.
type rule struct {
	pkg       ast.Ref
	name      string
	at        *ast.Location
	code      diag.Code
	query     ast.Body // r = data.PKG.NAME
	exception ast.Body // data.PKG.exception; nil: there is none
}

var judging = regexp.MustCompile(`^(deny|violation|warn)(_[a-zA-Z0-9]+)*$`)

const notJudged = "nothing is known of what it would have found; that is no pass"

func fault(at diag.Span, help, format string, args ...any) diag.Finding {
	return diag.New(policies.CodeForeign, at, format, args...).WithEffect(notJudged).WithHelp("%s", help)
}

// Load reads and compiles policies. With findings the set judges nothing.
func Load(opts Options) (*Set, diag.List) {
	s := &Set{limits: opts.Limits}
	parsed := map[string]*ast.Module{}
	var found diag.List
	for _, f := range opts.Policies {
		m, faults := parse(f)
		if found.Add(faults...); m != nil {
			parsed[f.Path] = m
			s.modules = append(s.modules, m)
		}
	}
	store, faults := data(opts.Data)
	if found.Add(faults...); len(found) > 0 {
		return s, found.Sorted()
	}
	s.store = store
	if found = s.compile(parsed); len(found) > 0 {
		return s, found.Sorted()
	}
	if len(opts.Namespaces) == 0 {
		opts.Namespaces = []string{"main"}
	}
	return s, s.find(opts)
}

// parse reads a file as Rego v1 and, if it is none, as v0.
func parse(f *source.File) (m *ast.Module, found diag.List) {
	defer func() {
		if r := recover(); r != nil {
			m, found = nil, diag.List{fault(whole(f.Path), "write the policy another way", "the policy engine crashed over %q: %v", f.Path, r)}
		}
	}()
	text := string(f.Data)
	m, err := ast.ParseModuleWithOpts(f.Path, text, ast.ParserOptions{RegoVersion: ast.RegoV1})
	if err != nil {
		old, oldErr := ast.ParseModuleWithOpts(f.Path, text, ast.ParserOptions{RegoVersion: ast.RegoV0})
		if oldErr == nil {
			m, err = old, nil
		}
	}
	switch {
	case err != nil:
		return nil, errorsOf(f.Path, err)
	case m == nil:
		return nil, diag.List{fault(whole(f.Path), "write a policy, or delete the file", "%q is empty", f.Path)}
	}
	return m, nil
}

func whole(file string) diag.Span { return diag.Span{File: file, Line: 1, Col: 1} }

func errorsOf(file string, err error) diag.List {
	var all ast.Errors
	if !errors.As(err, &all) {
		return diag.List{fault(whole(file), "write Rego", "%v", err)}
	}
	var found diag.List
	for _, e := range all {
		help := "the policy must be Rego, v1 or v0"
		if strings.Contains(e.Message, "undefined function") {
			help = "policies run without network, environment and files: give what it needs with --data"
		}
		found.Add(fault(span(e.Location, file), help, "%s", strings.ReplaceAll(e.Message, "\n", " ")))
	}
	return found
}

func span(loc *ast.Location, file string) diag.Span {
	if loc == nil || loc.File == "" {
		return whole(file)
	}
	return diag.Span{File: loc.File, Line: max(1, loc.Row), Col: max(1, loc.Col)}
}

func (s *Set) compile(parsed map[string]*ast.Module) (found diag.List) {
	defer func() {
		if r := recover(); r != nil {
			found = diag.List{fault(whole(s.modules[0].Package.Location.File), "write the policy another way", "the policy engine crashed while it compiled: %v", r)}
		}
	}()
	s.compiler = ast.NewCompiler().WithCapabilities(capabilities()).WithEnablePrintStatements(true)
	s.compiler.SetErrorLimit(0)
	if s.compiler.Compile(parsed); s.compiler.Failed() {
		return errorsOf(slices.Sorted(maps.Keys(parsed))[0], s.compiler.Errors)
	}
	return nil
}

// find prepares the rules of the namespaces.
func (s *Set) find(opts Options) diag.List {
	seen := map[string]bool{}
	for _, m := range s.modules {
		pkg := strings.TrimPrefix(m.Package.Path.String(), "data.")
		if !opts.AllNamespaces && !slices.Contains(opts.Namespaces, pkg) {
			continue
		}
		for _, r := range m.Rules {
			name := headName(r)
			if !judging.MatchString(name) || seen[pkg+"/"+name] {
				continue
			}
			seen[pkg+"/"+name] = true
			own := rule{pkg: m.Package.Path, name: name, at: r.Location, code: policies.CodeForeignDeny}
			if strings.HasPrefix(name, "warn") {
				own.code = policies.CodeForeignWarn
			}
			var err error
			if own.query, err = s.ask(append(m.Package.Path.Copy(), ast.StringTerm(name))); err != nil {
				return errorsOf(r.Location.File, err)
			}
			if except := append(m.Package.Path.Copy(), ast.StringTerm("exception")); len(s.compiler.GetRules(except)) > 0 {
				if own.exception, err = s.ask(except); err != nil {
					return errorsOf(r.Location.File, err)
				}
			}
			s.rules = append(s.rules, own)
		}
	}
	slices.SortFunc(s.rules, func(a, b rule) int {
		return strings.Compare(a.pkg.String()+"/"+a.name, b.pkg.String()+"/"+b.name)
	})
	if len(s.rules) == 0 && !opts.TestsOnly {
		var first diag.Span
		if len(opts.Policies) > 0 {
			first = whole(opts.Policies[0].Path)
		}
		return diag.List{fault(first, "name their packages with --namespace, or all with --all-namespaces",
			"no policy has a deny, violation or warn in the namespace %s", strings.Join(opts.Namespaces, ", "))}
	}
	return nil
}

// headName is the first part of a rule's name: deny of `deny contains msg`.
func headName(r *ast.Rule) string {
	if v, ok := r.Head.Ref()[0].Value.(ast.Var); ok {
		return string(v)
	}
	return ""
}

func (s *Set) ask(ref ast.Ref) (ast.Body, error) {
	var body ast.Body
	body.Append(ast.Equality.Expr(ast.VarTerm("r"), ast.NewTerm(ref)))
	return s.compiler.QueryCompiler().Compile(body)
}

// data lays files together under data, as conftest does: each at the root.
func data(files []*source.File) (storage.Store, diag.List) {
	root := map[string]any{}
	var found diag.List
	for _, f := range files {
		var doc map[string]any
		if err := yaml.Unmarshal(f.Data, &doc); err != nil {
			found.Add(fault(whole(f.Path), "a data file is one YAML or JSON document, a map of names", "%q is no data: %v", path.Base(f.Path), err))
			continue
		}
		if at := merge(root, doc); at != "" {
			found.Add(fault(whole(f.Path), "give it another name", "%q says again what %q is", f.Path, at))
		}
	}
	if len(found) > 0 {
		return nil, found
	}
	return inmem.NewFromObject(root), nil
}

// merge lays a map over another, and names a key that both have and that is no
// map in both.
func merge(into, from map[string]any) string {
	for _, k := range slices.Sorted(maps.Keys(from)) {
		old, twice := into[k]
		if !twice {
			into[k] = from[k]
			continue
		}
		a, aMap := old.(map[string]any)
		b, bMap := from[k].(map[string]any)
		if !aMap || !bMap {
			return k
		}
		if at := merge(a, b); at != "" {
			return fmt.Sprintf("%s.%s", k, at)
		}
	}
	return ""
}
