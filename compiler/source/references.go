package source

import (
	"io/fs"
	"path"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/compiler/diag"
)

// references checks everything a kustomization names.
func (s *prescan) references(l layer) {
	for _, field := range []string{"resources", "bases", "components"} {
		for _, n := range items(l.root, field) {
			if rel, dir, ok := s.target(l, n, n.Value); ok && dir {
				s.folder(rel)
				s.holding(l.dir).folders = append(s.holding(l.dir).folders, rel)
			} else if ok {
				s.resource(rel)
				s.holding(l.dir).files++
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
