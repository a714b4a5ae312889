package source

import (
	"io/fs"
	"path"
	"reflect"
	"regexp"
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
	l := layer{dir: dir, file: rel, doc: docs[0].doc, root: docs[0].root}
	s.layers = append(s.layers, l)
	if l.root.Kind != yaml.MappingNode {
		s.report("MSH0014", l.doc.Span(l.root), "write `resources:` with a list of files", "the kustomization is no map")
		return
	}
	s.fields(l)
	s.references(l)
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
				root = nil
			}
			for _, f := range more {
				if f.Code != "MSH0111" && f.Code != "MSH0102" { // of kinds that nobody may read
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

// references checks everything a kustomization names.
func (s *prescan) references(l layer) {
	for _, field := range []string{"resources", "bases", "components"} {
		for _, n := range items(l.root, field) {
			if rel, dir, ok := s.target(l, n, n.Value); ok && dir {
				s.folder(rel)
			} else if ok {
				s.resource(rel)
			}
		}
	}
	for _, field := range []string{"crds", "configurations"} {
		for _, n := range items(l.root, field) {
			s.plainFile(l, n, n.Value)
		}
	}
	for _, field := range []string{"generators", "transformers", "validators"} {
		for _, n := range items(l.root, field) {
			s.plugin(l, n)
		}
	}
	for _, field := range []string{"patches", "patchesJson6902", "replacements"} {
		for _, n := range items(l.root, field) {
			if _, file := Step(n, "path"); file != nil {
				s.plainFile(l, file, file.Value)
			}
		}
	}
	for _, n := range items(l.root, "patchesStrategicMerge") {
		if !strings.ContainsAny(n.Value, "\n:{") || remote(n.Value) {
			s.plainFile(l, n, n.Value)
		}
	}
	for _, field := range []string{"configMapGenerator", "secretGenerator"} {
		for _, g := range items(l.root, field) {
			for _, list := range []string{"files", "envs"} {
				for _, n := range items(g, list) {
					s.plainFile(l, n, afterKey(n.Value))
				}
			}
			if _, env := Step(g, "env"); env != nil {
				s.plainFile(l, env, env.Value)
			}
		}
	}
}

// afterKey is the path of `key=path`.
func afterKey(s string) string {
	if _, file, ok := strings.Cut(s, "="); ok {
		return file
	}
	return s
}

func items(n *yaml.Node, field string) []*yaml.Node {
	_, v := Step(n, field)
	if v == nil || v.Kind != yaml.SequenceNode {
		return nil
	}
	return v.Content
}

// remotely is what kustomize would fetch or clone: a scheme, user@host, a host
// that it knows by name.
var remotely = regexp.MustCompile(`(?i)^(git::|[a-z][a-z0-9+.-]*://|[^/@ ]+@[^/ ]+[:/]|(www\.)?github\.com[:/])`)

func remote(ref string) bool { return remotely.MatchString(strings.TrimSpace(ref)) }

// target resolves a reference; ok is false when it was reported.
func (s *prescan) target(l layer, n *yaml.Node, ref string) (rel string, dir, ok bool) {
	at := l.doc.Span(n)
	if n.Kind != yaml.ScalarNode {
		s.report("MSH0102", at, "write the path of a file or folder", "a reference is a path, not a map or a list")
		return "", false, false
	}
	if remote(ref) {
		s.report("MSH0012", at, "copy it into the repository and name the folder; meshc builds without the network", "%q is remote", ref)
		return "", false, false
	}
	rel = path.Join(l.dir, ref)
	if path.IsAbs(ref) || rel == ".." || strings.HasPrefix(rel, "../") {
		s.report("MSH0015", at, "a build reads the repository, or the folder of its meshc.yaml, and nothing around it", "%q lies outside of the tree", ref)
		return "", false, false
	}
	info, err := fs.Stat(s.p.fsys, rel)
	if err != nil {
		s.missing(l, at, ref, err)
		return "", false, false
	}
	if info.IsDir() && kustomization(s.p.fsys, rel) == "" {
		s.report("MSH0015", at, "name its files, or give it a kustomization.yaml", "%q is a folder without a kustomization", ref)
		return "", false, false
	}
	return rel, info.IsDir(), true
}

func (s *prescan) missing(l layer, at diag.Span, ref string, err error) {
	f := diag.New("MSH0015", at, "%q cannot be opened: %v", ref, reason(err)).
		WithHelp("paths are relative to the folder of the kustomization")
	var names []string
	if entries, lerr := fs.ReadDir(s.p.fsys, path.Join(l.dir, path.Dir(ref))); lerr == nil {
		for _, e := range entries {
			names = append(names, e.Name())
		}
	}
	if near := diag.Nearest(path.Base(ref), names); near != "" {
		f = f.WithHelp("did you mean %q?", path.Join(path.Dir(ref), near))
	}
	s.found.Add(f)
}

// plainFile checks a file that lies at or below the kustomization.
func (s *prescan) plainFile(l layer, n *yaml.Node, ref string) {
	rel, dir, ok := s.target(l, n, ref)
	switch {
	case !ok:
	case dir:
		s.report("MSH0015", l.doc.Span(n), "name the file", "%q is a folder", ref)
	case l.dir != "." && !strings.HasPrefix(rel, l.dir+"/"):
		s.report("MSH0015", l.doc.Span(n), "put the file into the folder of the kustomization; only other kustomizations may lie elsewhere",
			"%q lies outside of the kustomization's folder", ref)
	case isManifest(rel):
		s.parse(rel)
	}
}

// resource reads a resource file and remembers what it defines.
func (s *prescan) resource(rel string) {
	if s.visited[rel] {
		return
	}
	s.visited[rel] = true
	for _, d := range s.parse(rel) {
		if d.root.Kind != yaml.MappingNode {
			continue
		}
		_, kind := Step(d.root, "kind")
		if name, key, left := Find(d.root, []any{"metadata", "name"}); kind != nil && len(left) == 0 {
			s.objects = append(s.objects, written{kind.Value, name.Value, d.doc.Place(name, key, false)})
		}
	}
}
