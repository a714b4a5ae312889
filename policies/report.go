package policies

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/syntax"
)

// reporter makes findings of answers.
type reporter struct {
	world    *World
	stage    Stage
	limits   Limits
	stopped  string   // why the run was stopped, if it was
	mentions []string // the objects that were asked for by name
}

// said is one thing that a rule found: a finding, or why it is none.
type said struct {
	diag.Finding
	fault   bool // of the rule
	counted bool
}

// count is how many findings an answer has.
func (r *reporter) count(a answer) int {
	if a.err != nil || a.rule.Levels[r.stage] == LevelOff {
		return 0
	}
	return a.found.Len()
}

// elements are what an answer comes to, in order.
func (r *reporter) elements(u unit, a answer) []said {
	if a.err != nil {
		return r.faulty(a.rule, r.failure(u, a))
	}
	if r.count(a) == 0 {
		return nil
	}
	var out []said
	for _, t := range a.found.Slice() {
		f, fault := r.finding(u, a.rule, t.Value)
		if fault {
			for _, s := range r.faulty(a.rule, f) {
				s.counted = true
				out = append(out, s)
			}
			continue
		}
		out = append(out, said{f, fault, true})
	}
	return out
}

// faulty is a fault of a rule. In a build it is an error whatever the rule is for; at
// the other stages a rule does no more by failing than it could by finding.
func (r *reporter) faulty(rule *Rule, f diag.Finding) []said {
	if r.stage != Build {
		level := rule.Levels[r.stage]
		if level == LevelOff {
			return nil
		}
		f.Severity = min(f.Severity, level.severity())
	}
	return []said{{Finding: f, fault: true}}
}

// finding is one element of deny: a message, or an object with path and message.
func (r *reporter) finding(u unit, rule *Rule, v ast.Value) (f diag.Finding, fault bool) {
	if s, ok := v.(ast.String); ok {
		v = astDoc("message", string(s))
	}
	o, ok := v.(ast.Object)
	message := ""
	if ok {
		message = textOf(o, "message")
	}
	if message == "" {
		return malformed(rule, v, "it has no `message`"), true
	}
	about := u.object
	if ref := o.Get(ast.InternedTerm("object")); ref != nil {
		if about, ok = r.object(ref.Value); !ok {
			return malformed(rule, v, "its `object` is none of the mesh"), true
		}
	}
	path, ok := pathOf(o.Get(ast.InternedTerm("path")))
	if !ok {
		return malformed(rule, v, "its `path` is no list of field names and numbers"), true
	}
	at, written := r.place(about, path)
	f = diag.Finding{
		Code: rule.Code, Severity: rule.Levels[r.stage].severity(), Title: rule.Title, Message: clip(message),
		Effect: clip(textOf(o, "effect")), Help: clip(textOf(o, "help")), Locations: []diag.Location{{Span: at, Label: clip(textOf(o, "label"))}},
	}
	if f.Help == "" {
		f.Help = rule.Help
	}
	if about != nil {
		f = fixed(f.About(about.Ref(), written), about, o)
	}
	return r.related(f, o), false
}

// related adds the other ends that a rule names: {object, path, label}.
func (r *reporter) related(f diag.Finding, o ast.Object) diag.Finding {
	list := o.Get(ast.InternedTerm("related"))
	if list == nil {
		return f
	}
	array, ok := list.Value.(*ast.Array)
	if !ok {
		return f
	}
	array.Foreach(func(t *ast.Term) {
		end, ok := t.Value.(ast.Object)
		if !ok {
			return
		}
		ref := end.Get(ast.InternedTerm("object"))
		if ref == nil {
			return
		}
		about, known := r.object(ref.Value)
		path, ok := pathOf(end.Get(ast.InternedTerm("path")))
		if known && ok {
			at, _ := r.place(about, path)
			f = f.WithRelated(at, clip(textOf(end, "label")))
		}
	})
	return f
}

// place is where a path into an object was written, and the path as written. What
// is about no object is at the mesh's own file.
func (r *reporter) place(o *syntax.Object, path []any) (diag.Span, string) {
	if o == nil {
		if config := r.world.files.Config.Object; config != nil {
			return config.At(), ""
		}
		r.mentions = append(r.mentions, anyObject)
		if first := r.world.first(); first != nil {
			return first.At(), ""
		}
		return diag.Span{File: "meshc.yaml", Line: 1, Col: 1}, ""
	}
	written := o.PathTo(path...)
	return o.At(written...), syntax.PathText(written)
}

// object finds an object by its name, Kind/NAMESPACE/NAME, or by {kind, namespace, name}.
func (r *reporter) object(v ast.Value) (*syntax.Object, bool) {
	name := ""
	switch v := v.(type) {
	case ast.String:
		name, _, _ = strings.Cut(string(v), "#")
	case ast.Object:
		ref := diag.Object{Kind: textOf(v, "kind"), Namespace: textOf(v, "namespace"), Name: textOf(v, "name")}
		if meta := v.Get(ast.InternedTerm("metadata")); meta != nil {
			if m, ok := meta.Value.(ast.Object); ok {
				ref.Namespace, ref.Name = textOf(m, "namespace"), textOf(m, "name")
			}
		}
		name = ref.String()
	}
	r.mentions = append(r.mentions, name)
	return r.world.named(name)
}

// failure is about a rule that could not judge.
func (r *reporter) failure(u unit, a answer) diag.Finding {
	on := "the mesh"
	if u.object != nil {
		on = u.object.Ref().String()
	}
	at := a.rule.At
	var engine *topdown.Error
	if errors.As(a.err, &engine) && engine.Location != nil {
		at = spanOf(engine.Location)
	}
	var crash panicked
	switch {
	case errors.As(a.err, &crash):
		return crashed(at, "judging "+on, crash.what)
	case errors.Is(a.err, errStopped):
		return diag.New(CodeLimit, at, "the rule %s was stopped while it judged %s: %s", a.rule.Code, on, r.stopped).
			WithEffect("nothing is known of what it would have found; that is no pass").
			WithHelp("look for loops over loops, and for texts that grow")
	case topdown.IsCancel(a.err):
		return diag.New(CodeLimit, at, "the rule %s took more than %d steps to judge %s", a.rule.Code, r.limits.steps(u.wide), on).
			WithEffect("nothing is known of what it would have found; that is no pass").
			WithHelp("look things up by name in data.mesh instead of walking over all of them for each")
	}
	message := a.err.Error()
	if engine != nil {
		message = engine.Message
	}
	return diag.New(CodeFailed, at, "the rule %s failed on %s: %s", a.rule.Code, on, message).
		WithEffect("nothing is known of what it would have found; that is no pass").
		WithHelp("guard the call, for example with is_string(x) or regex.is_valid(x)")
}

func malformed(rule *Rule, v ast.Value, why string) diag.Finding {
	return diag.New(CodeResult, rule.At, "the rule %s gave what is no finding: %s: %s", rule.Code, why, clip(v.String())).
		WithEffect("the rule found something that cannot be shown; that is no pass").
		WithHelp("give {\"path\": [\"spec\", ...], \"message\": \"...\"}, with \"object\" in rules of scope namespace and mesh")
}

// crashed is a panic inside the engine.
func crashed(at diag.Span, doing string, what any) diag.Finding {
	return diag.New(CodeCrashed, at, "the policy engine crashed %s: %s", doing, clip(strings.ReplaceAll(fmt.Sprint(what), "\n", " "))).
		WithEffect("nothing is known of what the rule would have found; that is no pass").
		WithHelp("write the rule another way, and report this with the rule")
}

func textOf(o ast.Object, key string) string {
	if t := o.Get(ast.InternedTerm(key)); t != nil {
		if s, ok := t.Value.(ast.String); ok {
			return string(s)
		}
	}
	return ""
}

// pathOf is a path as Rego has it; none is the object itself.
func pathOf(t *ast.Term) ([]any, bool) {
	if t == nil {
		return nil, true
	}
	array, ok := t.Value.(*ast.Array)
	if !ok {
		return nil, false
	}
	out := make([]any, 0, array.Len())
	for i := range array.Len() {
		switch step := array.Elem(i).Value.(type) {
		case ast.String:
			out = append(out, string(step))
		case ast.Number:
			n, whole := step.Int()
			if !whole || n < 0 {
				return nil, false
			}
			out = append(out, n)
		default:
			return nil, false
		}
	}
	return out, true
}

// maxText bounds what a rule says.
const maxText = 2000

func clip(s string) string {
	s = strings.TrimSpace(strings.ReplaceAll(s, "\n", " "))
	if r := []rune(s); len(r) > maxText {
		return string(slices.Clip(r[:maxText])) + "…"
	}
	return s
}

func megabytes(n uint64) string { return strconv.FormatUint(n>>20, 10) + " MiB" }
