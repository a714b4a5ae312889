package source

import (
	"path"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/types"

	"github.com/meshc/meshc/compiler/diag"
)

// prescan reads every kustomization that a build reaches before kustomize does:
// kustomize would fetch URLs and run git before it looks at any option, and its
// own messages have no positions.
type prescan struct {
	l       *loader
	p       *place
	found   diag.List
	visited map[string]bool
	// malformed: a file is no valid YAML. That is a finding about its content, not
	// a kustomization that cannot be rendered.
	malformed bool
	layers    []layer
	objects   []written
	holds     map[string]*content // by folder
}

// layer is one kustomization file.
type layer struct {
	dir  string // in the place
	file string // in the place
	doc  *Document
	root *yaml.Node
}

// written is an object in a resource file.
type written struct {
	kind, name string
	at         diag.Span // of its name
}

var kustomizationFields = func() []string {
	var out []string
	t := reflect.TypeFor[types.Kustomization]()
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if name != "" {
			out = append(out, name)
		}
	}
	out = append(out, "apiVersion", "kind")
	slices.Sort(out)
	return out
}()

func (s *prescan) report(code diag.Code, at diag.Span, help, format string, args ...any) {
	s.found.Add(diag.New(code, at, format, args...).WithHelp("%s", help))
}

// folder scans the kustomization in dir and all that it refers to.
func (s *prescan) folder(dir string) {
	if s.visited[dir] {
		return
	}
	s.visited[dir] = true
	name := kustomization(s.p.fsys, dir)
	for _, other := range kustomizationNames {
		if other != name && exists(s.p.fsys, path.Join(dir, other)) {
			s.report("MSH0022", diag.Span{File: s.p.name(path.Join(dir, other)), Line: 1, Col: 1},
				"delete one of the two", "%q holds %s and %s", s.p.name(dir), name, other)
		}
	}
	rel := path.Join(dir, name)
	docs := s.parse(rel)
	if len(docs) == 0 || docs[0].root == nil {
		return
	}
	for _, more := range docs[1:] { // kustomize reads the first and says nothing
		s.report("MSH0014", more.doc.Span(more.root), "move it into a file of its own, and name that under `resources`",
			"a kustomization is one document, and this is another")
	}
	l := layer{dir: dir, file: rel, doc: docs[0].doc, root: docs[0].root}
	s.layers = append(s.layers, l)
	if l.root.Kind != yaml.MappingNode {
		s.report("MSH0014", l.doc.Span(l.root), "write `resources:` with a list of files", "the kustomization is no map")
		return
	}
	s.fields(l)
	s.references(l)
	s.bounded(l)
}

type parsed struct {
	doc  *Document
	root *yaml.Node
}

// parse reads a YAML file; faults in it are findings.
func (s *prescan) parse(rel string) []parsed {
	data, err := s.l.read(s.p, rel)
	if err != nil || data == nil {
		return nil // the reference to it is reported
	}
	s.l.tree.Keep(s.p.name(rel), data)
	text, found := Clean(s.p.name(rel), data)
	s.found.Add(found...)
	docs, tooMany := Split(s.p.name(rel), text, s.l.opts.Limits.Documents)
	s.found.Add(tooMany...)
	s.malformed = s.malformed || found.HasErrors() || len(tooMany) > 0
	var out []parsed
	for _, d := range docs {
		root, bad := d.Parse()
		if root != nil {
			var more diag.List
			var ok bool
			if root, more, ok = Flatten(d, root, s.l.opts.Limits); !ok {
				root, s.malformed = nil, true // kustomize must not see what was not looked at
			} else {
				bad.Add(s.nested(d, root)...)
			}
			for _, f := range more {
				if !ok || f.Code != "MSH0111" && f.Code != "MSH0102" { // of kinds that nobody may read
					bad.Add(f)
				}
			}
		}
		s.found.Add(bad...)
		s.malformed = s.malformed || bad.HasErrors()
		if root != nil {
			out = append(out, parsed{d, root})
		}
	}
	return out
}

// refused are the fields that run foreign code, need the network, or change the
// schema of later builds in the same process.
var refused = map[string]string{
	"helmCharts":                  "render the chart first: `helm template NAME CHART | meshc build -`",
	"helmChartInflationGenerator": "render the chart first: `helm template NAME CHART | meshc build -`",
	"helmGlobals":                 "render the chart first: `helm template NAME CHART | meshc build -`",
	"openapi":                     "leave it out; use JSON 6902 patches for lists that a schema would merge",
}

// fields reports fields that kustomize does not know, or that are refused.
func (s *prescan) fields(l layer) {
	for i := 0; i+1 < len(l.root.Content); i += 2 {
		k := l.root.Content[i]
		if help, no := refused[k.Value]; no {
			s.report("MSH0013", l.doc.Span(k), help, "%q is not supported", k.Value)
			continue
		}
		if slices.Contains(kustomizationFields, k.Value) {
			continue
		}
		f := diag.New("MSH0101", l.doc.Span(k), "a kustomization has no field %q", k.Value)
		if near := diag.Nearest(k.Value, kustomizationFields); near != "" {
			f = f.WithHelp("did you mean %q?", near).WithFix("write "+near, diag.Edit{Span: l.doc.Span(k), NewText: near})
		}
		s.found.Add(f)
	}
}
