package conftest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/print"
	"sigs.k8s.io/yaml"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/policies"
)

// Document is one parsed document of the input.
type Document struct {
	File   string // as conftest's `path` names it
	Text   []byte // YAML or JSON
	At     diag.Span
	Object *diag.Object // what it declares; nil: none
}

// steps that one rule may take on one input: as many as a rule about the whole mesh.
func (s *Set) steps() int64 {
	if s.limits.Steps > 0 {
		return 20 * s.limits.Steps
	}
	return 20 * 500_000
}

// Judge applies the rules to each document, or to all of them combined. now is the
// time of judgement.
func (s *Set) Judge(documents []Document, combine bool, now time.Time) diag.List {
	var found diag.List
	why := policies.Within(s.limits, func(bound func(int64) topdown.Cancel) {
		j := &judge{set: s, bound: bound, now: now}
		if combine {
			j.combined(documents)
		} else {
			for _, d := range documents {
				j.document(d)
			}
		}
		found = j.found
	})
	if why != "" {
		return diag.List{fault(span(s.rules[0].at, ""), "look for loops over loops, and for texts that grow", "the policies were stopped: %s", why)}
	}
	return found.Sorted()
}

type judge struct {
	set   *Set
	bound func(int64) topdown.Cancel
	now   time.Time
	found diag.List
	// failed are the rules whose failure was told.
	failed map[string]bool
}

// value is a document as conftest gives it to policies: by way of JSON.
func value(d Document) (ast.Value, error) {
	text, err := yaml.YAMLToJSON(d.Text)
	if err != nil {
		return nil, err
	}
	return ast.ValueFromReader(bytes.NewReader(text))
}

// document judges one document; of a list, each element by itself.
func (j *judge) document(d Document) {
	v, err := value(d)
	if err != nil {
		j.found.Add(fault(d.At, "mend the document", "%q cannot be given to policies: %v", d.File, err))
		return
	}
	inputs := []*ast.Term{ast.NewTerm(v)}
	if list, ok := v.(*ast.Array); ok {
		inputs = nil
		list.Foreach(func(t *ast.Term) { inputs = append(inputs, t) })
	}
	for _, input := range inputs {
		j.input(input, d)
	}
}

// combined judges a list of {path, contents}, one entry for each document.
func (j *judge) combined(documents []Document) {
	var all []*ast.Term
	for _, d := range documents {
		v, err := value(d)
		if err != nil {
			j.found.Add(fault(d.At, "mend the document", "%q cannot be given to policies: %v", d.File, err))
			continue
		}
		all = append(all, ast.ObjectTerm(
			ast.Item(ast.StringTerm("path"), ast.StringTerm(d.File)), ast.Item(ast.StringTerm("contents"), ast.NewTerm(v))))
	}
	if len(documents) > 0 {
		j.input(ast.ArrayTerm(all...), Document{At: diag.Span{File: documents[0].At.File, Line: 1, Col: 1}})
	}
}

func (j *judge) input(input *ast.Term, d Document) {
	for _, r := range j.set.rules {
		if r.exception != nil {
			except, err := j.eval(r.exception, input)
			if err != nil {
				j.failure(r, d, err)
				continue
			}
			if r.excepted(except) {
				continue
			}
		}
		v, err := j.eval(r.query, input)
		if err != nil {
			j.failure(r, d, err)
			continue
		}
		j.messages(r, d, v)
	}
}

// excepted tells whether a set of lists of names has the rule's: what follows
// deny_, violation_ or warn_, or for a bare deny its name or nothing.
func (r rule) excepted(v ast.Value) bool {
	_, own, suffixed := strings.Cut(r.name, "_")
	found := false
	each(v, func(list *ast.Term) {
		each(list.Value, func(name *ast.Term) {
			s, ok := name.Value.(ast.String)
			found = found || ok && (suffixed && string(s) == own || !suffixed && (s == "" || string(s) == r.name))
		})
	})
	return found
}

// each visits the elements of a set or a list.
func each(v ast.Value, visit func(*ast.Term)) {
	switch v := v.(type) {
	case ast.Set:
		v.Foreach(visit)
	case *ast.Array:
		v.Foreach(visit)
	}
}

// messages are the elements of a rule: texts, or objects with `msg`.
func (j *judge) messages(r rule, d Document, v ast.Value) {
	switch v.(type) {
	case nil:
		return
	case ast.Set, *ast.Array:
	default:
		j.failure(r, d, fmt.Errorf("it is no set of messages; write `%s contains msg if {...}`", r.name))
		return
	}
	each(v, func(t *ast.Term) {
		text, ok := t.Value.(ast.String)
		if o, object := t.Value.(ast.Object); object {
			if msg := o.Get(ast.StringTerm("msg")); msg != nil {
				text, ok = msg.Value.(ast.String)
			}
		}
		if !ok {
			j.failure(r, d, errors.New("it gave what is neither a text nor an object with the text `msg`"))
			return
		}
		if text == "" {
			return // conftest takes it for a success
		}
		f := diag.New(r.code, d.At, "%s", strings.TrimSpace(strings.ReplaceAll(string(text), "\n", " "))).
			WithRelated(span(r.at, ""), "the rule "+strings.TrimPrefix(r.pkg.String(), "data.")+"."+r.name).
			WithHelp("change the document, or write an `exception` for it beside the policy")
		if d.Object != nil {
			f = f.About(*d.Object, "")
		}
		j.found.Add(f)
	})
}

// failure is told once for each rule, at its first input.
func (j *judge) failure(r rule, d Document, err error) {
	name := r.pkg.String() + "." + r.name
	if j.failed[name] {
		return
	}
	if j.failed == nil {
		j.failed = map[string]bool{}
	}
	j.failed[name] = true
	why := err.Error()
	if topdown.IsCancel(err) {
		why = "it took too many steps"
	}
	on := d.File
	if d.Object != nil {
		on = d.Object.String()
	}
	if on == "" {
		on = "the combined documents"
	}
	j.found.Add(fault(span(r.at, ""), "mend the policy", "%s cannot judge %s: %s", strings.TrimPrefix(name, "data."), on, why))
}

// eval is what a query says, nil if it is undefined.
func (j *judge) eval(query ast.Body, input *ast.Term) (out ast.Value, err error) {
	return j.set.eval(query, input, j.bound(j.set.steps()), j.now, nil)
}

func (s *Set) eval(query ast.Body, input *ast.Term, cancel topdown.Cancel, now time.Time, printed print.Hook) (out ast.Value, err error) {
	defer func() {
		if r := recover(); r != nil {
			out, err = nil, fmt.Errorf("the policy engine crashed: %v", r)
		}
	}()
	ctx := context.Background()
	txn, err := s.store.NewTransaction(ctx)
	if err != nil {
		return nil, err
	}
	defer s.store.Abort(ctx, txn)
	q := topdown.NewQuery(query).WithCompiler(s.compiler).WithStore(s.store).WithTransaction(txn).
		WithBuiltins(functions()).WithCancel(cancel).WithTime(now).WithPrintHook(printed)
	if input != nil {
		q = q.WithInput(input)
	}
	err = q.Iter(ctx, func(r topdown.QueryResult) error {
		out = r[ast.Var("r")].Value
		return nil
	})
	return out, err
}

// Tests are the test_ rules of the policies, as `conftest verify` runs them.
func (s *Set) Tests(only func(name string) bool) []policies.TestResult {
	var out []policies.TestResult
	for _, m := range s.modules {
		for _, r := range m.Rules {
			name := headName(r)
			full := strings.TrimPrefix(m.Package.Path.String(), "data.") + "." + name
			if !strings.HasPrefix(name, "test_") || only != nil && !only(full) || slices.ContainsFunc(out, func(t policies.TestResult) bool { return t.Name == full }) {
				continue
			}
			out = append(out, s.test(m, r, name, full))
		}
	}
	return out
}

func (s *Set) test(m *ast.Module, r *ast.Rule, name, full string) policies.TestResult {
	result := policies.TestResult{Name: full, At: span(r.Location, "")}
	query, err := s.ask(append(m.Package.Path.Copy(), ast.StringTerm(name)))
	if err != nil {
		result.Why = err.Error()
		return result
	}
	lines := &printed{}
	var v ast.Value
	start := time.Now()
	why := policies.Within(s.limits, func(bound func(int64) topdown.Cancel) {
		v, err = s.eval(query, nil, bound(s.steps()), time.Unix(0, 0), lines)
	})
	result.Took = time.Since(start)
	switch {
	case why != "":
		result.Why = "it was stopped: " + why
		return result
	case topdown.IsCancel(err):
		result.Why = "it took too many steps"
	case err != nil:
		result.Why = err.Error()
	case v == nil || v.Compare(ast.Boolean(true)) != 0:
		result.Why = "it is not true"
	}
	result.Printed, result.Passed = *lines, result.Why == ""
	return result
}

// printed keeps what tests print.
type printed []string

// Print keeps one line, with the place of the call.
func (p *printed) Print(c print.Context, text string) error {
	*p = append(*p, fmt.Sprintf("%s:%d: %s", c.Location.File, c.Location.Row, text))
	return nil
}
