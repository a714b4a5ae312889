package policies

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
)

// module is a parsed Rego file: a rule, or functions that rules share.
type module struct {
	file    string
	ast     *ast.Module
	rule    *Rule // nil for a file of shared functions
	library bool
}

// testSuffix ends the names of files that hold tests of rules.
const testSuffix = "_test.rego"

// maxRuleBytes bounds a Rego file: compilation cannot be interrupted.
const maxRuleBytes = 256 << 10

// readModules parses users' files. Files with a fault are left out.
func readModules(files []*source.File) ([]*module, diag.List) {
	var out []*module
	var found diag.List
	for _, f := range files {
		if strings.HasSuffix(f.Path, testSuffix) {
			continue
		}
		if len(f.Data) > maxRuleBytes {
			found.Add(diag.New(CodeSyntax, diag.Span{File: f.Path, Line: 1, Col: 1}, "%q is larger than %d KiB and was not read", f.Path, maxRuleBytes>>10).
				WithEffect("the rule was not applied").
				WithHelp("split the file; put long lists into parameters in meshc.yaml"))
			continue
		}
		m, faults := readModule(f.Path, string(f.Data))
		if found.Add(faults...); m != nil {
			out = append(out, m)
		}
	}
	return out, found
}

// readModule parses a Rego file and its metadata; nil when there is a fault.
func readModule(file, text string) (m *module, found diag.List) {
	defer func() {
		if r := recover(); r != nil {
			m, found = nil, diag.List{crashed(diag.Span{File: file, Line: 1, Col: 1}, "reading it", r)}
		}
	}()
	parsed, err := ast.ParseModuleWithOpts(file, text, ast.ParserOptions{ProcessAnnotation: true, RegoVersion: ast.RegoV1})
	if err != nil {
		return nil, regoErrors(file, err)
	}
	if parsed == nil {
		return nil, diag.List{diag.New(CodeSyntax, diag.Span{File: file, Line: 1, Col: 1}, "the file is empty").
			WithHelp("write a rule, or delete the file")}
	}
	m = &module{file: file, ast: parsed}
	if found = append(forbidden(parsed), m.metadata()...); len(found) > 0 {
		return nil, found
	}
	return m, nil
}

// unique refuses rules of one code and modules of one package: their findings
// could not be told apart.
func unique(modules []*module) ([]*module, diag.List) {
	slices.SortStableFunc(modules, func(a, b *module) int { return cmp.Compare(a.file, b.file) })
	codes, packages := map[diag.Code]*Rule{}, map[string]*module{}
	var found diag.List
	kept := modules[:0:0]
	for _, m := range modules {
		pkg := m.ast.Package.Path.String()
		if prior, twice := packages[pkg]; twice && (m.rule != nil || prior.rule != nil) {
			found.Add(diag.New(CodeMetadata, spanOf(m.ast.Package.Location), "the package %q is already that of %q", m.ast.Package.Path, prior.file).
				WithRelated(spanOf(prior.ast.Package.Location), "it is used here").
				WithEffect("the rule was not applied").WithHelp("give each rule a package of its own"))
			continue
		}
		packages[pkg] = m
		if m.rule != nil {
			if prior, twice := codes[m.rule.Code]; twice {
				found.Add(diag.New(CodeMetadata, m.rule.At, "the code %s is already that of %q", m.rule.Code, prior.File).
					WithRelated(prior.At, "it is used here").
					WithEffect("the rule was not applied").WithHelp("give each rule a code of its own"))
				continue
			}
			codes[m.rule.Code] = m.rule
		}
		kept = append(kept, m)
	}
	return kept, found
}

// enabled leaves out the rules that no stage wants.
func enabled(modules []*module, only []diag.Code) []*module {
	return slices.DeleteFunc(modules, func(m *module) bool {
		switch {
		case m.rule == nil:
			return false
		case len(only) > 0:
			return !slices.Contains(only, m.rule.Code)
		case m.rule.Disabled:
			return true
		}
		for _, s := range stages {
			if m.rule.Levels[s] != LevelOff {
				return false
			}
		}
		return true
	})
}

// regoErrors are the findings of what OPA's parser or compiler says of a file.
func regoErrors(file string, err error) diag.List {
	var all ast.Errors
	if !errors.As(err, &all) {
		return diag.List{diag.New(CodeSyntax, diag.Span{File: file, Line: 1, Col: 1}, "%v", err).
			WithEffect("the rule was not applied").WithHelp("write Rego v1")}
	}
	var found diag.List
	for _, e := range all {
		at := spanOf(e.Location)
		if at.File == "" {
			at = diag.Span{File: file, Line: 1, Col: 1}
		}
		found.Add(diag.New(CodeSyntax, at, "%s", sentence(e)).
			WithEffect("the rule was not applied").WithHelp("write Rego v1: `deny contains {...} if {...}`"))
	}
	return found
}

// sentence is an error's message in one line, with what its details add.
func sentence(e *ast.Error) string {
	text := strings.TrimSpace(strings.ReplaceAll(e.Message, "\n", " "))
	if e.Details == nil {
		return text
	}
	var lines []string
	for _, l := range e.Details.Lines() {
		if l = strings.TrimSpace(l); l != "" && !strings.HasPrefix(l, "^") {
			lines = append(lines, l)
		}
	}
	if len(lines) == 0 || e.Code == ast.ParseErr {
		return text
	}
	return text + ": " + strings.Join(lines, " ")
}

// spanOf is OPA's location of a piece of Rego as a span.
func spanOf(loc *ast.Location) diag.Span {
	if loc == nil || loc.File == "" {
		return diag.Span{}
	}
	// The end of a file has no column to OPA.
	s := diag.Span{File: loc.File, Line: max(1, loc.Row), Col: max(1, loc.Col)}
	if first, _, _ := strings.Cut(string(loc.Text), "\n"); first != "" {
		s.EndLine, s.EndCol = s.Line, s.Col+len([]rune(first))
	}
	return s
}
