package policies

import (
	"cmp"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/meshc/meshc/compiler/diag"
)

// Scope says what a rule is run on.
type Scope string

// The scopes. A rule of scope object runs once for each object of its kinds, one
// of scope namespace once for each namespace, one of scope mesh once.
const (
	ScopeObject    Scope = "object"
	ScopeNamespace Scope = "namespace"
	ScopeMesh      Scope = "mesh"
)

// Stage is where a finding is judged; a rule has a severity for each.
type Stage string

// The stages of DESIGN 8.
const (
	Build     Stage = "build"
	Admission Stage = "admission"
	Live      Stage = "live"
)

var stages = []Stage{Build, Admission, Live}

// Stages are all stages, in order.
func Stages() []Stage { return append([]Stage(nil), stages...) }

// Level is a severity, or off.
type Level string

// The levels a rule may have at a stage.
const (
	LevelError   Level = "error"
	LevelWarning Level = "warning"
	LevelInfo    Level = "info"
	LevelOff     Level = "off"
)

// severity is the severity of a level that is not off.
func (l Level) severity() diag.Severity {
	s, err := diag.ParseSeverity(string(l))
	if err != nil {
		return diag.Error
	}
	return s
}

// Rule is what a rule says of itself in its metadata.
type Rule struct {
	Code        diag.Code
	Title       string // a plain sentence, lower case, no stop
	Description string // what it finds and why it matters
	Help        string // what to do
	Scope       Scope
	Kinds       []string // of scope object: the kinds it runs on
	Params      []Param
	Levels      map[Stage]Level // one for each stage
	Disabled    bool            // off unless meshc.yaml gives it a severity
	Since       string          // the version of meshc that brought it
	Related     []string        // addresses of further reading
	Library     bool            // compiled in
	Compares    bool            // it reads data.mesh.before: without a base it finds nothing
	File        string          // the Rego file
	At          diag.Span       // of its metadata

	pkg ast.Ref // data.PACKAGE
	set map[string]any
}

// Level is the rule's severity at a stage, off if it is disabled.
func (r *Rule) Level(s Stage) Level {
	if r.Disabled {
		return LevelOff
	}
	return r.Levels[s]
}

// Param is a setting of a rule that meshc.yaml may give per mesh and environment.
type Param struct {
	Name    string
	Type    string // string, number, boolean, array or object
	Default any    // nil: none, the parameter is undefined
	Help    string
}

// param finds a parameter by name.
func (r *Rule) param(name string) (Param, bool) {
	for _, p := range r.Params {
		if p.Name == name {
			return p, true
		}
	}
	return Param{}, false
}

// values are the parameters in force.
func (r *Rule) values() map[string]any {
	out := map[string]any{}
	for _, p := range r.Params {
		if p.Default != nil {
			out[p.Name] = p.Default
		}
	}
	for name, v := range r.set {
		out[name] = v
	}
	return out
}

// Entry is what `meshc explain` says of the rule.
func (r *Rule) Entry() diag.Entry {
	text := r.Description
	if r.Help != "" {
		text += "\n\n" + r.Help
	}
	return diag.Entry{
		Code: r.Code, Title: r.Title, Explain: text,
		Build: r.Levels[Build].severity(), Admission: r.Levels[Admission].severity(), Live: r.Levels[Live].severity(),
	}
}

// Entries is what `meshc explain` says of the rules of the library, in order of code.
func Entries() []diag.Entry {
	var out []diag.Entry
	for _, r := range LibraryRules() {
		out = append(out, r.Entry())
	}
	return out
}

func compareCodes(a, b diag.Code) int { return cmp.Compare(a, b) }
