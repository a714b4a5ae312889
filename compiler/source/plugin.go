package source

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// plugin checks a generator, transformer or validator: a file, a folder with a
// kustomization, or an object written in place. Only builtin ones run.
func (s *prescan) plugin(l layer, n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && strings.Contains(n.Value, "\n") {
		doc := Inline(l.doc, n)
		if root, found := doc.Parse(); root != nil {
			s.builtin(doc, root)
		} else {
			s.found.Add(found...)
			s.malformed = true
		}
		return
	}
	rel, dir, ok := s.target(l, n, n.Value)
	if !ok {
		return
	}
	if dir {
		before := len(s.layers)
		s.folder(rel)
		s.holding(l.dir).folders = append(s.holding(l.dir).folders, rel)
		for _, inner := range s.layers[before:] {
			for _, r := range items(inner.root, "resources") {
				if file, isDir, ok := s.target(inner, r, r.Value); ok && !isDir {
					s.pluginFile(file)
				}
			}
		}
		return
	}
	s.pluginFile(rel)
}

func (s *prescan) pluginFile(rel string) {
	for _, d := range s.parse(rel) {
		s.builtin(d.doc, d.root)
	}
}

// builtin refuses the configuration of a plugin that is not builtin, and remote
// files in one that is.
func (s *prescan) builtin(doc *Document, root *yaml.Node) {
	const help = "only kustomize's builtin generators and transformers run; run the function in a step before and build its output"
	version, key, left := Find(root, []any{"apiVersion"})
	if len(left) > 0 || version.Value != "builtin" {
		s.report("MSH0013", doc.Place(version, key, false), help, "a plugin that is not builtin does not run")
		return
	}
	if kind, key, left := Find(root, []any{"kind"}); len(left) == 0 && strings.HasPrefix(kind.Value, "Helm") {
		s.report("MSH0013", doc.Place(kind, key, false), "render the chart first: `helm template NAME CHART | meshc build -`", "Helm charts are not rendered")
	}
	_, annotations := Step(root, "metadata")
	if _, annotations = Step(annotations, "annotations"); annotations != nil {
		for i := 0; i+1 < len(annotations.Content); i += 2 {
			if k := annotations.Content[i]; strings.HasSuffix(k.Value, "/function") {
				s.report("MSH0013", doc.Span(k), help, "a function does not run")
			}
		}
	}
	s.remoteFiles(doc, root)
}

// fileFields are the fields of builtin plugins that name files.
var fileFields = map[string]bool{"files": true, "envs": true, "env": true, "path": true, "paths": true, "crds": true}

func (s *prescan) remoteFiles(doc *Document, n *yaml.Node) {
	for i, v := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			continue
		}
		if n.Kind == yaml.MappingNode && fileFields[n.Content[i-1].Value] {
			s.refuseRemote(doc, v)
		}
		s.remoteFiles(doc, v)
	}
}

func (s *prescan) refuseRemote(doc *Document, n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && (remote(n.Value) || remote(afterKey(n.Value))) {
		s.report("MSH0012", doc.Span(n), "copy it into the repository and name the file; meshc builds without the network", "%q is remote", n.Value)
	}
	for _, v := range n.Content {
		s.refuseRemote(doc, v)
	}
}
