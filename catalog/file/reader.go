package file

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/compiler/diag"
)

// reader turns YAML nodes into values, and all that is wrong with them into findings.
type reader struct {
	file     string
	lines    []string
	findings diag.List
}

func (r *reader) report(f diag.Finding) { r.findings.Add(f) }

var yamlLine = regexp.MustCompile(`^(?:yaml: )?line (\d+): (.*)$`)

// document is the root of the only document; nil after a finding.
func (r *reader) document(data []byte) *yaml.Node {
	whole := diag.Span{File: r.file}
	switch {
	case len(data) > maxSize:
		r.report(diag.New("MSH4501", whole, "the catalog is larger than %d MiB", maxSize>>20))
		return nil
	case !utf8.Valid(data):
		r.report(diag.New("MSH4501", whole, "the catalog is not UTF-8").WithHelp("save it as UTF-8"))
		return nil
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, next yaml.Node
	err := dec.Decode(&doc)
	if errors.Is(err, io.EOF) {
		r.report(diag.New("MSH4501", whole, "the catalog is empty"))
		return nil
	}
	if err == nil && !errors.Is(dec.Decode(&next), io.EOF) {
		r.report(diag.New("MSH4501", r.span(&next), "a second document follows").WithHelp("write one catalog a file"))
		return nil
	}
	if err != nil {
		r.report(r.syntaxError(err))
		return nil
	}
	return doc.Content[0]
}

func (r *reader) syntaxError(err error) diag.Finding {
	at, text := diag.Span{File: r.file}, strings.TrimPrefix(err.Error(), "yaml: ")
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil && n >= 1 && n <= len(r.lines) {
			at, text = diag.Span{File: r.file, Line: n, Col: 1, EndLine: n, EndCol: 1 + len([]rune(r.lines[n-1]))}, m[2]
		}
	}
	return diag.New("MSH4501", at, "%s", text).WithEffect("nothing in the catalog counts")
}

// span is a node's first line: what a caret can point at.
func (r *reader) span(n *yaml.Node) diag.Span {
	if n.Line == 0 {
		return diag.Span{File: r.file}
	}
	width := 1
	if n.Kind == yaml.ScalarNode && n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 {
		width = max(1, utf8.RuneCountInString(n.Value))
		if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
			width += 2
		}
	}
	return diag.Span{File: r.file, Line: n.Line, Col: n.Column, EndLine: n.Line, EndCol: n.Column + width}
}

// field is a key that a map may have.
type field struct {
	name     string
	required bool
	read     func(*yaml.Node)
}

// fields reads a map strictly. what names it in findings.
func (r *reader) fields(n *yaml.Node, what string, fs ...field) {
	if !r.kind(n, yaml.MappingNode, what, "a map") {
		return
	}
	seen := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if first, dup := seen[key.Value]; dup {
			r.report(diag.New("MSH4504", r.span(key), "%q stands twice in %s", key.Value, what).WithRelated(r.span(first), "first here"))
			continue
		}
		seen[key.Value] = key
		if f, ok := find(fs, key.Value); ok {
			f.read(value)
			continue
		}
		finding := diag.New("MSH4502", r.span(key), "%s has no field %q", what, key.Value)
		if near := diag.Nearest(key.Value, names(fs)); near != "" {
			finding = finding.WithHelp("did you mean %q?", near)
		} else {
			finding = finding.WithHelp("it may have: %s", strings.Join(names(fs), ", "))
		}
		r.report(finding)
	}
	for _, f := range fs {
		if f.required && seen[f.name] == nil {
			r.report(diag.New("MSH4503", r.span(n), "%s lacks %q", what, f.name))
		}
	}
}

func find(fs []field, name string) (field, bool) {
	for _, f := range fs {
		if f.name == name {
			return f, true
		}
	}
	return field{}, false
}

func names(fs []field) []string {
	out := make([]string, len(fs))
	for i, f := range fs {
		out[i] = f.name
	}
	return out
}

// kind reports a node of another kind than wanted.
func (r *reader) kind(n *yaml.Node, want yaml.Kind, what, wanted string) bool {
	if n.Kind == want {
		return true
	}
	if n.Kind == yaml.AliasNode {
		r.report(diag.New("MSH4501", r.span(n), "%s is an alias", what).WithHelp("write the value out"))
		return false
	}
	r.report(diag.New("MSH4503", r.span(n), "%s must be %s", what, wanted))
	return false
}

// list reads a sequence item by item; an empty value is an empty list.
func (r *reader) list(n *yaml.Node, what string, item func(*yaml.Node)) {
	if n.Tag == "!!null" || !r.kind(n, yaml.SequenceNode, what, "a list") {
		return
	}
	for _, c := range n.Content {
		item(c)
	}
}

// text is a value with its place, for findings that come later.
type text struct {
	s  string
	at diag.Span
}

func (r *reader) text(n *yaml.Node, what string) text {
	t := text{at: r.span(n)}
	if !r.kind(n, yaml.ScalarNode, what, "text") {
		return t
	}
	switch n.Tag {
	case "!!str":
		t.s = n.Value
	case "!!null":
		r.report(diag.New("MSH4503", t.at, "%s is empty", what))
	default:
		r.report(diag.New("MSH4503", t.at, "%s must be text, not %s", what, n.Value).WithHelp("put it in quotation marks: %q", n.Value))
	}
	return t
}

func (r *reader) flag(n *yaml.Node, what string, into *bool) {
	if !r.kind(n, yaml.ScalarNode, what, "true or false") {
		return
	}
	var b bool
	if n.Tag != "!!bool" || n.Decode(&b) != nil {
		r.report(diag.New("MSH4503", r.span(n), "%s must be true or false, not %q", what, n.Value))
		return
	}
	*into = b
}

// number reads a whole number between bounds.
func (r *reader) number(n *yaml.Node, what string, least, most uint64) uint64 {
	if !r.kind(n, yaml.ScalarNode, what, "a number") {
		return least
	}
	v, err := strconv.ParseUint(n.Value, 10, 64)
	if n.Tag != "!!int" || err != nil || v < least || v > most {
		r.report(diag.New("MSH4503", r.span(n), "%s must be a whole number from %d to %d, not %q", what, least, most, n.Value))
		return least
	}
	return v
}

func (r *reader) port(n *yaml.Node, what string) uint16 {
	return uint16(r.number(n, what, 1, 65535))
}
