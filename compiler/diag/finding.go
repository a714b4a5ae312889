// Package diag holds findings: what is wrong with a user's input, where, what
// it means for the mesh and what to do. Findings are values; renderers turn a
// List into text or JSON. The package knows nothing of meshes, files or clusters.
package diag

import (
	"fmt"
	"slices"
)

// Severity orders findings; Error fails a build by default.
type Severity uint8

// The severities, from least to most.
const (
	Info Severity = iota
	Warning
	Error
)

// String is the name used in every output format.
func (s Severity) String() string {
	switch s {
	case Error:
		return "error"
	case Warning:
		return "warning"
	default:
		return "info"
	}
}

// ParseSeverity reads the names String writes.
func ParseSeverity(s string) (Severity, error) {
	for _, v := range []Severity{Info, Warning, Error} {
		if v.String() == s {
			return v, nil
		}
	}
	return Info, fmt.Errorf("severity %q is none of info, warning, error", s)
}

// Span is a half-open range in a source file. Lines and columns count from 1;
// columns count Unicode code points. EndLine 0 means a point; Line 0 means the whole file.
type Span struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Col     int    `json:"column"`
	EndLine int    `json:"endLine,omitempty"`
	EndCol  int    `json:"endColumn,omitempty"`
}

// String is file:line:col.
func (s Span) String() string {
	if s.Line == 0 {
		return s.File
	}
	return fmt.Sprintf("%s:%d:%d", s.File, s.Line, s.Col)
}

// Location is a span with what is to be said at its caret.
type Location struct {
	Span
	Label string `json:"label,omitempty"`
}

// Object names the Kubernetes-style object a finding is about.
type Object struct {
	Group     string `json:"group,omitempty"`
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
}

// String is Kind/namespace/name, as Envoy policies and routes are named.
func (o Object) String() string {
	if o.Namespace == "" {
		return o.Kind + "/" + o.Name
	}
	return o.Kind + "/" + o.Namespace + "/" + o.Name
}

// Edit replaces a span by new text.
type Edit struct {
	Span
	NewText string `json:"newText"`
}

// Fix is a machine-applicable change.
type Fix struct {
	Title string `json:"title"`
	Edits []Edit `json:"edits"`
}

// Waiver marks a finding that somebody accepted until a day.
type Waiver struct {
	Reason  string `json:"reason"`
	Owner   string `json:"owner"`
	Expires string `json:"expires"`
}

// Finding is one fault, in the shape every renderer and the webhook share.
// Locations[0] is the primary position; Related are the other ends of references.
type Finding struct {
	Code        Code       `json:"code"`
	Severity    Severity   `json:"-"`
	Title       string     `json:"title"`
	Message     string     `json:"message"`
	Effect      string     `json:"effect,omitempty"`
	Help        string     `json:"help,omitempty"`
	Object      *Object    `json:"object,omitempty"`
	Path        string     `json:"path,omitempty"`
	Locations   []Location `json:"locations"`
	Related     []Location `json:"related,omitempty"`
	Fixes       []Fix      `json:"fixes,omitempty"`
	Fingerprint string     `json:"fingerprint,omitempty"`
	Waiver      *Waiver    `json:"waiver,omitempty"`
	Known       bool       `json:"baseline,omitempty"` // the baseline has it
}

// New makes a finding of a registered code at a position. Title and severity
// come from the code table (build stage). It panics on a code that is in no table.
func New(code Code, at Span, format string, args ...any) Finding {
	e, ok := Lookup(code)
	if !ok {
		panic("diag: code " + string(code) + " is in no table")
	}
	return Finding{
		Code: code, Severity: e.Build, Title: e.Title,
		Message:   fmt.Sprintf(format, args...),
		Locations: []Location{{Span: at}},
	}
}

// WithLabel says something at the primary caret.
func (f Finding) WithLabel(label string) Finding {
	f.Locations = append([]Location(nil), f.Locations...)
	f.Locations[0].Label = label
	return f
}

// WithEffect says what the fault means for the mesh.
func (f Finding) WithEffect(format string, args ...any) Finding {
	f.Effect = fmt.Sprintf(format, args...)
	return f
}

// WithHelp says what to do.
func (f Finding) WithHelp(format string, args ...any) Finding {
	f.Help = fmt.Sprintf(format, args...)
	return f
}

// WithRelated adds the other end of a reference.
func (f Finding) WithRelated(at Span, label string) Finding {
	f.Related = append(append([]Location(nil), f.Related...), Location{Span: at, Label: label})
	return f
}

// WithFix adds a machine-applicable change.
func (f Finding) WithFix(title string, edits ...Edit) Finding {
	f.Fixes = append(append([]Fix(nil), f.Fixes...), Fix{Title: title, Edits: edits})
	return f
}

// About names the object and the path inside it, such as spec.rules[0].name.
func (f Finding) About(o Object, path string) Finding {
	f.Object, f.Path = &o, path
	return f
}

// At is the primary position.
func (f Finding) At() Span { return f.Locations[0].Span }

// List is the findings of one run.
type List []Finding

// Add appends findings.
func (l *List) Add(fs ...Finding) { *l = append(*l, fs...) }

// InOrder is Sorted, and the list itself where it is sorted: it must not be changed.
func (l List) InOrder() List {
	for i := 1; i < len(l); i++ {
		if compare(&l[i-1], &l[i]) > 0 {
			return l.Sorted()
		}
	}
	return l
}

// Sorted returns the findings in order of file, line, column, code and message.
func (l List) Sorted() List {
	if len(l) == 0 {
		return nil
	}
	order := make([]*Finding, len(l)) // a finding is large, and every stage sorts
	for i := range l {
		order[i] = &l[i]
	}
	if !slices.IsSortedFunc(order, compare) {
		slices.SortStableFunc(order, compare)
	}
	out := make(List, len(l))
	for i, f := range order {
		out[i] = *f
	}
	return out
}

// Counts tells whether a finding may fail a run: nobody has accepted it.
func (f Finding) Counts() bool { return f.Waiver == nil && !f.Known }

// Max is the highest severity of those in the list that count; ok is false when
// there is none.
func (l List) Max() (max Severity, ok bool) {
	for _, f := range l {
		if f.Severity >= max && f.Counts() {
			max, ok = f.Severity, true
		}
	}
	return max, ok
}

// HasErrors tells whether a build must fail.
func (l List) HasErrors() bool {
	m, ok := l.Max()
	return ok && m == Error
}
