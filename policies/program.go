package policies

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/policies/sieve"
)

// program is a set of compiled modules with one query for each kind of input.
type program struct {
	modules  []*module
	compiler *ast.Compiler
	params   ast.Value
	queries  map[string][]*query // by kind; "namespace" and "mesh" for these scopes
	cover    *Coverage           // what tests reach is noted there; nil: nowhere
}

// query asks one rule.
type query struct {
	rule *Rule
	body ast.Body
	test *sieve.Test // whether there is anything to ask
}

// compile compiles the modules. Those with a fault are left out, and so are those
// that depend on them; the rest is compiled without them.
func compile(modules []*module) (*program, diag.List) {
	var found diag.List
	for {
		c, errs := compileOnce(modules)
		if len(errs) == 0 {
			return &program{modules: modules, compiler: c}, found
		}
		faulty := map[string]bool{}
		for _, f := range errs {
			faulty[f.At().File] = true
		}
		found.Add(errs...)
		kept := slices.DeleteFunc(slices.Clone(modules), func(m *module) bool { return faulty[m.file] })
		if len(kept) == len(modules) {
			kept = nil // an error without a file: nothing can be trusted
		}
		modules = kept
	}
}

func compileOnce(modules []*module) (c *ast.Compiler, found diag.List) {
	defer func() {
		if r := recover(); r != nil {
			c = nil
			for _, m := range modules {
				if !m.library || len(modules) == 1 {
					found.Add(crashed(spanOf(m.ast.Package.Location), "compiling it", r))
				}
			}
			if len(found) == 0 {
				found.Add(crashed(diag.Span{File: "policies"}, "compiling the library", r))
			}
		}
	}()
	c = ast.NewCompiler().WithCapabilities(sandbox()).WithStrict(true).
		WithSchemas(schemas()).WithUseTypeCheckAnnotations(true).WithEnablePrintStatements(true)
	c.SetErrorLimit(0)
	parsed := make(map[string]*ast.Module, len(modules))
	for _, m := range modules {
		parsed[m.file] = m.prepared()
	}
	c.Compile(parsed)
	for _, e := range c.Errors {
		found.Add(diag.New(CodeCompile, spanOf(e.Location), "%s", sentence(e)).
			WithEffect("the rule was not applied").
			WithHelp("%s", compileHelp(e)))
	}
	for _, m := range modules {
		if compiled := c.Modules[m.file]; len(found) == 0 && compiled != nil && !m.library && !strings.HasSuffix(m.file, testSuffix) {
			found.Add(misspelt(compiled)...)
		}
	}
	return c, found
}

func compileHelp(e *ast.Error) string {
	switch {
	case strings.HasPrefix(e.Message, "undefined ref: input"):
		return "the fields of input.object are those of its kind's newest version: see docs/rules-format.md"
	case strings.HasPrefix(e.Message, "undefined ref: data."+paramsRoot):
		return "list the parameter under `params` in the metadata"
	case strings.HasPrefix(e.Message, "undefined ref: data.mesh"):
		return "the documents under data.mesh are listed in docs/rules-format.md"
	}
	return "see docs/rules-format.md"
}

// paramsRoot is the document under data that holds the parameters of all rules:
// data.params of a rule is data.meshc_params.CODE, as all rules share one store.
const paramsRoot = "meshc_params"

// prepared is a copy of the module for the compiler: parameters lead to the
// rule's own, and the schemas of its kinds are attached.
func (m *module) prepared() *ast.Module {
	out := m.ast.Copy()
	if m.rule == nil {
		return out
	}
	ownParams(out, m.rule.Code)
	for _, a := range out.Annotations {
		if a.Scope == "package" && !m.library {
			a.Schemas = append(m.rule.schemas(), a.Schemas...)
		}
	}
	return out
}

// ownParams makes data.params in a module, or in its tests, the parameters of a
// rule. It changes the module.
func ownParams(m *ast.Module, code diag.Code) {
	params := ast.StringTerm("params")
	for _, i := range m.Imports {
		if ref, ok := i.Path.Value.(ast.Ref); ok && len(ref) == 2 && ref[1].Equal(params) && i.Alias == "" {
			i.Alias = ast.Var("params")
		}
	}
	ast.WalkTerms(m, func(t *ast.Term) bool {
		ref, ok := t.Value.(ast.Ref)
		if ok && len(ref) > 1 && ref[0].Equal(ast.DefaultRootDocument) && ref[1].Equal(params) {
			own := ast.Ref{ref[0], term(paramsRoot, ref[1].Location), term(string(code), ref[1].Location)}
			t.Value = append(own, ref[2:]...)
		}
		return false
	})
}

func term(s string, at *ast.Location) *ast.Term { return ast.StringTerm(s).SetLocation(at) }

// prepare makes the queries of the rules and the document of their parameters.
func (p *program) prepare(rules []*Rule) diag.List {
	var found diag.List
	params := map[string]any{}
	for _, r := range rules {
		params[string(r.Code)] = r.values()
	}
	value, err := ast.InterfaceToValue(params)
	if err != nil {
		value = ast.NewObject()
	}
	p.params = value
	p.queries = map[string][]*query{}
	if p.compiler == nil {
		return nil
	}
	tests := sieve.New(p.compiler, paramsRoot, value)
	for _, r := range rules {
		q, err := p.query(r, tests)
		if err != nil {
			found.Add(diag.New(CodeCompile, r.At, "the rule cannot be asked: %v", err).WithEffect("the rule was not applied"))
			continue
		}
		kinds := r.Kinds
		if r.Scope != ScopeObject {
			kinds = []string{string(r.Scope)}
		}
		for _, k := range kinds {
			p.queries[k] = append(p.queries[k], q)
		}
	}
	return found.Sorted()
}

// query compiles `found = data.PACKAGE.deny`.
func (p *program) query(r *Rule, tests *sieve.Program) (*query, error) {
	ref := append(slices.Clone(r.pkg), ast.StringTerm(entryRule))
	body := ast.NewBody(ast.Equality.Expr(ast.VarTerm(answerVar), ast.NewTerm(ref)))
	compiled, err := p.compiler.QueryCompiler().Compile(body)
	if err != nil {
		return nil, err
	}
	return &query{rule: r, body: compiled, test: tests.Test(ref)}, nil
}

// answerVar is bound to what a rule found.
const answerVar = "found"
