package policies

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/meshc/meshc/compiler/diag"
)

// entry is the rule that meshc asks a package for.
const entryRule = "deny"

var codeForm = regexp.MustCompile(`^[A-Z][A-Z0-9]{1,15}[0-9]{3,4}$`)

// reader reads the metadata of one module and collects its faults.
type reader struct {
	m     *module
	at    diag.Span
	found diag.List
}

func (r *reader) fault(format string, args ...any) *diag.Finding {
	r.found.Add(diag.New(CodeMetadata, r.at, format, args...).WithEffect("the rule was not applied"))
	return &r.found[len(r.found)-1]
}

// metadata reads what the package says of itself. A module without `deny` and
// without metadata holds functions that rules share.
func (m *module) metadata() diag.List {
	var note *ast.Annotations
	for _, a := range m.ast.Annotations {
		if a.Scope == "package" {
			note = a
		}
	}
	r := &reader{m: m, at: spanOf(m.ast.Package.Location)}
	entries := m.entries()
	if note == nil && len(entries) == 0 {
		return nil
	}
	if note == nil {
		f := r.fault("the package has a %q, but no metadata", entryRule)
		*f = f.WithHelp("write a `# METADATA` comment with `scope: package` above the package: see docs/rules-format.md")
		return r.found
	}
	r.at = line(spanOf(note.Location))
	own, ok := note.Custom["meshc"].(map[string]any)
	if !ok {
		f := r.fault("the metadata have no `custom: {meshc: ...}`")
		*f = f.WithHelp("write id, severity and kinds there: see docs/rules-format.md")
		return r.found
	}
	rule := &Rule{
		Title: strings.TrimSpace(note.Title), Description: strings.TrimSpace(note.Description),
		File: m.file, At: r.at, pkg: m.ast.Package.Path,
	}
	for _, related := range note.RelatedResources {
		rule.Related = append(rule.Related, related.Ref.String())
	}
	rule.Compares = m.reads(before)
	r.rule(rule, own)
	r.body(entries)
	if len(r.found) == 0 {
		m.rule = rule
	}
	return r.found
}

// reads tells whether a document of data.mesh is mentioned, in full or by an import.
func (m *module) reads(document string) bool {
	found := false
	ast.WalkRefs(m.ast, func(ref ast.Ref) bool {
		for i := range len(ref) - 1 {
			name, _ := ref[i+1].Value.(ast.String)
			found = found || string(name) == document && (ref[i].Value.Compare(ast.String("mesh")) == 0 || ref[i].Value.Compare(ast.Var("mesh")) == 0)
		}
		return found
	})
	return found
}

// entries are the module's rules that are called deny.
func (m *module) entries() []*ast.Rule {
	var out []*ast.Rule
	for _, rule := range m.ast.Rules {
		if rule.Head.Name == entryRule || len(rule.Head.Reference) > 0 && rule.Head.Reference[0].Value.Compare(ast.Var(entryRule)) == 0 {
			out = append(out, rule)
		}
	}
	return out
}

// body judges the shape of deny: a set of findings. Anything else could be
// undefined, and what is undefined would look like no finding.
func (r *reader) body(entries []*ast.Rule) {
	if len(entries) == 0 {
		f := r.fault("the package has metadata of a rule, but no %q", entryRule)
		*f = f.WithHelp("write `deny contains {\"path\": [...], \"message\": ...} if {...}`")
	}
	for _, e := range entries {
		if e.Head.RuleKind() == ast.MultiValue && len(e.Head.Args) == 0 && len(e.Head.Ref()) == 1 && !e.Default {
			continue
		}
		r.at = spanOf(e.Head.Location)
		f := r.fault("%q must be a set of findings", entryRule)
		*f = f.WithHelp("write `deny contains {\"path\": [...], \"message\": ...} if {...}`")
	}
}

var fields = []string{"enabled", "enforce", "help", "id", "kinds", "params", "scope", "severity", "since"}

func (r *reader) rule(rule *Rule, own map[string]any) {
	for _, key := range slices.Sorted(maps.Keys(own)) {
		if !slices.Contains(fields, key) {
			f := r.fault("the metadata have no field %q", key)
			*f = f.WithHelp("the fields are %s", strings.Join(fields, ", "))
			if near := diag.Nearest(key, fields); near != "" {
				*f = f.WithHelp("did you mean %q?", near)
			}
		}
	}
	if rule.Title == "" {
		r.fault("the metadata have no `title`")
	}
	rule.Code = diag.Code(r.text(own, "id"))
	if !codeForm.MatchString(string(rule.Code)) {
		f := r.fault("%q is no code for a rule", rule.Code)
		*f = f.WithHelp("write `id:` with capital letters and three or four digits: SHOP001")
	}
	rule.Help, rule.Since = r.text(own, "help"), r.text(own, "since")
	rule.Disabled = own["enabled"] == false
	if v, ok := own["enabled"].(bool); own["enabled"] != nil && !ok {
		r.fault("`enabled` is true or false, not %v", v)
	}
	r.scope(rule, own)
	r.levels(rule, own)
	r.params(rule, own)
}

func (r *reader) text(own map[string]any, key string) string {
	v, ok := own[key].(string)
	if own[key] != nil && !ok {
		r.fault("`%s` takes text, not %v", key, own[key])
	}
	return strings.TrimSpace(v)
}

func (r *reader) scope(rule *Rule, own map[string]any) {
	rule.Scope = Scope(r.text(own, "scope"))
	if rule.Scope == "" {
		rule.Scope = ScopeObject
	}
	for _, k := range r.list(own["kinds"], "kinds") {
		kind, _ := k.(string)
		if _, known := shapes[kind]; !known {
			f := r.fault("there is no kind %q", fmt.Sprint(k))
			*f = f.WithHelp("the kinds are %s", strings.Join(Kinds(), ", "))
			continue
		}
		rule.Kinds = append(rule.Kinds, kind)
	}
	switch rule.Scope {
	case ScopeObject:
		if len(rule.Kinds) == 0 {
			f := r.fault("the metadata have no `kinds`")
			*f = f.WithHelp("name the kinds it judges: `kinds: [TrafficTarget]`, or give it `scope: mesh`")
		}
	case ScopeNamespace, ScopeMesh:
		if len(rule.Kinds) > 0 {
			f := r.fault("a rule of scope %s has no kinds", rule.Scope)
			*f = f.WithHelp("delete `kinds`: it reads everything from data.mesh")
		}
	default:
		f := r.fault("%q is no scope", rule.Scope)
		*f = f.WithHelp("write object, namespace or mesh")
	}
}

func (r *reader) list(v any, key string) []any {
	out, ok := v.([]any)
	if v != nil && !ok {
		r.fault("`%s` takes a list, not %v", key, v)
	}
	return out
}

func (r *reader) levels(rule *Rule, own map[string]any) {
	base := r.level(own["severity"], "severity")
	if own["severity"] == nil {
		f := r.fault("the metadata have no `severity`")
		*f = f.WithHelp("write error, warning or info")
	}
	rule.Levels = map[Stage]Level{Build: base, Admission: base, Live: base}
	enforce, ok := own["enforce"].(map[string]any)
	if own["enforce"] != nil && !ok {
		r.fault("`enforce` takes a map of stages, not %v", own["enforce"])
	}
	for _, key := range slices.Sorted(maps.Keys(enforce)) {
		if !slices.Contains(stages, Stage(key)) {
			f := r.fault("there is no stage %q", key)
			*f = f.WithHelp("the stages are build, admission and live")
			continue
		}
		rule.Levels[Stage(key)] = r.level(enforce[key], "enforce."+key)
	}
}

func (r *reader) level(v any, key string) Level {
	if b, ok := v.(bool); ok && !b {
		return LevelOff // `off` without quotation marks, in YAML 1.1
	}
	text, _ := v.(string)
	if l := Level(text); slices.Contains([]Level{LevelError, LevelWarning, LevelInfo, LevelOff}, l) {
		return l
	}
	if v != nil {
		f := r.fault("`%s` is none of error, warning, info, off: %v", key, v)
		*f = f.WithHelp("write one of them")
	}
	return LevelError
}

var paramTypes = []string{"array", "boolean", "number", "object", "string"}

func (r *reader) params(rule *Rule, own map[string]any) {
	params, ok := own["params"].(map[string]any)
	if own["params"] != nil && !ok {
		r.fault("`params` takes a map of names, not %v", own["params"])
	}
	for _, name := range slices.Sorted(maps.Keys(params)) {
		spec, _ := params[name].(map[string]any)
		p := Param{Name: name, Default: plainNumbers(spec["default"])}
		p.Type, _ = spec["type"].(string)
		p.Help, _ = spec["help"].(string)
		switch {
		case !slices.Contains(paramTypes, p.Type):
			f := r.fault("the parameter %q has no type", name)
			*f = f.WithHelp("write `%s: {type: T, default: ...}` with T one of %s", name, strings.Join(paramTypes, ", "))
		case p.Default != nil && typeOf(p.Default) != p.Type:
			r.fault("the default of parameter %q is %s, not %s", name, typeOf(p.Default), p.Type)
		}
		rule.Params = append(rule.Params, p)
	}
}

// typeOf names the type of a plain value as parameters do.
func typeOf(v any) string {
	switch reflect.ValueOf(v).Kind() {
	case reflect.String:
		if _, number := v.(interface{ Float64() (float64, error) }); number {
			return "number"
		}
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Slice:
		return "array"
	case reflect.Map:
		return "object"
	case reflect.Invalid:
		return "null"
	}
	return "number"
}

// line is the first line of a span, for what is said of a comment.
func line(s diag.Span) diag.Span {
	s.EndLine, s.EndCol = 0, 0
	return s
}
