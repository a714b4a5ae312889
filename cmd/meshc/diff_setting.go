package main

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/compiler/diff"
	"github.com/meshc/meshc/compiler/source"
)

// settingKeys leads from what a change is about to its field in meshc.yaml.
var settingKeys = map[diff.Kind]string{diff.Mode: "mode", diff.Plaintext: "plaintext", diff.Egress: "egress"}

// settings finds where meshc.yaml says something, and what judges beside.
type settings struct {
	path string
	spec *yaml.Node
	env  *yaml.Node
}

func settingsOf(tree *source.Tree, env string) settings {
	if tree.Config == nil {
		return settings{}
	}
	var doc yaml.Node
	text, _ := source.Clean(tree.Config.Path, tree.Config.Data)
	if yaml.Unmarshal(text, &doc) != nil || len(doc.Content) == 0 {
		return settings{path: tree.Config.Path}
	}
	spec := field(doc.Content[0], "spec")
	return settings{path: tree.Config.Path, spec: spec, env: field(field(spec, "environments"), env)}
}

// at is the line of a field in force, a namespace's own or else the mesh's; 0
// where none is written.
func (s settings) at(namespace, key string) int {
	for _, scope := range []*yaml.Node{s.env, s.spec} {
		if namespace != "" {
			scope = field(field(scope, "namespaces"), namespace)
		}
		var found *yaml.Node
		for part := range strings.SplitSeq(key, ".") {
			found = nil
			pairs(scope, func(k, v *yaml.Node) {
				if k.Value == part {
					found, scope = k, v
				}
			})
		}
		if found != nil {
			return found.Line
		}
	}
	return 0
}

// locate adds to changes of settings where they are written: in the new file, or
// in the old one that said something which the new one leaves out.
func locate(changes diff.Changes, before, after settings) {
	for i := range changes {
		c := &changes[i]
		key, ok := settingKeys[c.Kind]
		if c.Kind == diff.Setting {
			key, _, ok = strings.Cut(c.Text, " ")
		}
		if !ok || len(c.Causes) > 0 {
			continue
		}
		if c.Kind == diff.Egress && strings.HasPrefix(c.Text, "ranges") {
			key = "ranges"
		}
		for _, side := range []struct {
			settings
			before bool
		}{{after, false}, {before, true}} {
			if n := side.at(c.Namespace, key); n > 0 {
				c.Causes = []diff.Cause{{Name: key, File: side.path, Line: n, Before: side.before}}
				break
			}
		}
	}
}
