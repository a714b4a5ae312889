package source

import (
	"path"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/resmap"

	"github.com/meshc/meshc/compiler/diag"
)

var (
	accumulating = regexp.MustCompile(`accumulating resources from '([^']+)'`)
	unmatched    = regexp.MustCompile(`failed to find unique target for patch ([A-Za-z0-9]+)(?:\.[^/ ]*)?/([^ .]+)`)
	noMatch      = regexp.MustCompile(`no matches for Id ([A-Za-z0-9]+)(?:\.[^/ ]*)?/([^ .;]+)`)
	registered   = regexp.MustCompile(`may not add resource with an already registered id: ([A-Za-z0-9]+)(?:\.[^/ ]*)?/([^ .]+)`)
	opFailed     = regexp.MustCompile(`(?:replace|remove|add|test) operation does not apply: doc is missing (?:key|path): (\S+)|Unable to (?:remove|access) .*`)
)

// explain makes a finding of kustomize's error, at the place it speaks of.
func (s *prescan) explain(dir string, err error) diag.Finding {
	text := strings.Join(strings.Fields(err.Error()), " ")
	text = strings.ReplaceAll(text, mount+"/", "")
	at := diag.Span{File: s.p.name(path.Join(dir, kustomization(s.p.fsys, dir))), Line: 1, Col: 1}
	if m := registered.FindStringSubmatch(text); m != nil {
		return s.twice(m[1], m[2], at)
	}
	for _, re := range []*regexp.Regexp{unmatched, noMatch} {
		if m := re.FindStringSubmatch(text); m != nil {
			return diag.New("MSH0014", s.patchOf(m[1], m[2], at), "the patch finds no %s %q to change", m[1], m[2]).
				WithHelp("check kind, name and namespace of the patch; they must be those of a resource, before prefixes")
		}
	}
	if strings.Contains(text, "cycle detected") {
		return diag.New("MSH0014", s.innermost(dir, text, at), "the kustomizations refer to each other in a circle").
			WithHelp("take one of the references away: a base knows nothing of its overlays")
	}
	if opFailed.MatchString(text) {
		for _, l := range s.layers {
			if n := firstPatch(l); n != nil {
				at = l.doc.Span(n)
			}
		}
	}
	return diag.New("MSH0014", s.innermost(dir, text, at), "the kustomization cannot be rendered: %s", text).
		WithHelp("`kustomize build %s` says the same; mend it there first", s.p.name(dir))
}

// innermost follows the chain of "accumulating resources from" to its last entry.
func (s *prescan) innermost(dir, text string, at diag.Span) diag.Span {
	for _, m := range accumulating.FindAllStringSubmatch(text, -1) {
		for _, l := range s.layers {
			if l.dir != dir {
				continue
			}
			for _, n := range items(l.root, "resources") {
				if n.Value == m[1] {
					at = l.doc.Span(n)
					dir = path.Join(dir, n.Value)
				}
			}
		}
	}
	return at
}

// twice is the finding of one object in two files.
func (s *prescan) twice(kind, name string, at diag.Span) diag.Finding {
	var ends []diag.Span
	for _, o := range s.objects {
		if o.kind == kind && o.name == name {
			ends = append(ends, o.at)
		}
	}
	f := diag.New("MSH0109", at, "%s %q is written twice in the kustomization", kind, name).
		WithHelp("delete one of the two, or make it a patch")
	if len(ends) < 2 {
		return f
	}
	f.Locations[0].Span = ends[1]
	return f.WithRelated(ends[0], "it is already here")
}

// patchOf finds the patch for an object, in a file or in place.
func (s *prescan) patchOf(kind, name string, at diag.Span) diag.Span {
	for _, l := range s.layers {
		for _, p := range s.patches(l) {
			if root, _ := p.Parse(); root != nil && nodeText(root, "kind") == kind {
				n, key, left := Find(root, []any{"metadata", "name"})
				if len(left) == 0 && n.Value == name {
					return p.Place(n, key, false)
				}
			}
		}
	}
	return at
}

// patches are the strategic merge patches of a layer, as documents.
func (s *prescan) patches(l layer) []*Document {
	var out []*Document
	file := func(ref string) {
		rel := path.Join(l.dir, ref)
		if data, ok := s.l.tree.Text(s.p.name(rel)); ok {
			text, _ := Clean(s.p.name(rel), data)
			docs, _ := Split(s.p.name(rel), text, s.l.opts.Limits.Documents)
			out = append(out, docs...)
		}
	}
	for _, n := range items(l.root, "patches") {
		if _, p := Step(n, "path"); p != nil {
			file(p.Value)
		}
		if _, p := Step(n, "patch"); p != nil {
			out = append(out, Inline(l.doc, p))
		}
	}
	for _, n := range items(l.root, "patchesStrategicMerge") {
		if strings.Contains(n.Value, "\n") {
			out = append(out, Inline(l.doc, n))
		} else {
			file(n.Value)
		}
	}
	return out
}

func nodeText(n *yaml.Node, path ...any) string {
	v, _, left := Find(n, path)
	if len(left) > 0 || v == nil || v.Kind != yaml.ScalarNode {
		return ""
	}
	return v.Value
}

func firstPatch(l layer) *yaml.Node {
	for _, field := range []string{"patches", "patchesJson6902"} {
		for _, n := range items(l.root, field) {
			if _, t := Step(n, "target"); t != nil {
				return n
			}
		}
	}
	return nil
}

// idlePatches warns of patches whose target selects nothing: kustomize passes
// over them in silence.
func (s *prescan) idlePatches(m resmap.ResMap) diag.List {
	var found diag.List
	for _, l := range s.layers {
		for _, field := range []string{"patches", "patchesJson6902"} {
			for _, n := range items(l.root, field) {
				_, target := Step(n, "target")
				if target == nil || s.selects(target, m) {
					continue
				}
				at := l.doc.Span(target)
				if name, key, left := Find(target, []any{"name"}); len(left) == 0 {
					at = l.doc.Place(name, key, false)
				}
				found.Add(diag.New("MSH0024", at, "the patch selects no object").
					WithEffect("what it should change stays as it is").
					WithHelp("the target must name the kind and the name of a resource of this kustomization"))
			}
		}
	}
	return found
}

// selects tells whether a target may select an object, by kind and by the name
// it has in its file or after rendering.
func (s *prescan) selects(target *yaml.Node, m resmap.ResMap) bool {
	if nodeText(target, "labelSelector")+nodeText(target, "annotationSelector") != "" {
		return true
	}
	match := func(field, value string) bool {
		want := nodeText(target, field)
		if want == "" {
			return true
		}
		re, err := regexp.Compile("^(?:" + want + ")$")
		return err != nil || re.MatchString(value)
	}
	for _, o := range s.objects {
		if match("kind", o.kind) && match("name", o.name) {
			return true
		}
	}
	for _, r := range m.Resources() {
		if match("kind", r.GetKind()) && match("name", r.GetName()) {
			return true
		}
	}
	return false
}
