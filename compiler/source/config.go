package source

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/compiler/diag"
)

// entry is one of the sources of a meshc.yaml, as far as loading needs it.
type entry struct {
	path      string
	kustomize bool
	namespace string
	at        diag.Span
}

// ruled loads the sources of the meshc.yaml in dir, and the verdict tables beside it.
func (l *loader) ruled(p *place, dir string) error {
	rel := path.Join(dir, ConfigName)
	if l.seen[p.key(rel)] {
		return nil
	}
	l.seen[p.key(rel)] = true
	data, err := l.read(p, rel)
	if err != nil || data == nil {
		return err
	}
	name := p.name(rel)
	if l.tree.Config != nil {
		l.found.Add(diag.New("MSH0023", diag.Span{File: name, Line: 1, Col: 1}, "a run is ruled by one meshc.yaml, and %q already rules this one", l.tree.Config.Path).
			WithHelp("build the two meshes one after the other"))
		return nil
	}
	l.tree.Config = &File{Path: name, Data: data}
	l.tree.Keep(name, data)
	entries := l.entries(name, data)
	rules := l.ruleDirs(name, data)
	for _, e := range append(slices.Clone(entries), rules...) {
		if !IsRuleSet(e.path) {
			l.listed[p.key(path.Join(dir, e.path))] = true
		}
	}
	for _, e := range entries {
		if err := l.entry(p, dir, e); err != nil {
			l.unreadable(e.at, e.path, "paths in a meshc.yaml are relative to the folder it lies in", err)
		}
	}
	for _, e := range rules {
		if IsRuleSet(e.path) {
			l.ruleSet(p, dir, name, data, e)
			continue
		}
		if err := l.rules(p, dir, e); err != nil {
			l.unreadable(e.at, e.path, "folders of rules are relative to the folder that meshc.yaml lies in", err)
		}
	}
	l.tables(p, dir)
	return nil
}

// entry loads one of the sources.
func (l *loader) entry(p *place, dir string, e entry) error {
	rel, err := inside(dir, e.path)
	if err != nil {
		return err
	}
	if e.kustomize && kustomization(p.fsys, rel) == "" {
		return fmt.Errorf("there is no kustomization.yaml in it")
	}
	return l.source(p, rel, e.namespace)
}

// inside joins a path of a meshc.yaml to its folder, and refuses one that leaves the tree.
func inside(dir, name string) (string, error) {
	rel := path.Join(dir, name)
	if path.IsAbs(name) || rel == ".." || len(rel) > 2 && rel[:3] == "../" {
		return "", fmt.Errorf("it lies outside of the tree")
	}
	return rel, nil
}

// unreadable is a finding at the place that names what cannot be opened.
func (l *loader) unreadable(at diag.Span, name, help string, err error) {
	var already *UnreadableError
	if !errors.As(err, &already) {
		l.found.Add(diag.New("MSH0010", at, "%q cannot be opened: %v", name, reason(err)).WithHelp("%s", help))
	}
	l.fail(name, err)
}

// tables reads the verdict tables, and the waivers, beside a meshc.yaml or a
// kustomization.
func (l *loader) tables(p *place, dir string) {
	entries, err := fs.ReadDir(p.fsys, dir)
	if err != nil {
		return // the folder was listed a moment ago; its manifests tell
	}
	for _, e := range entries {
		rel := path.Join(dir, e.Name())
		if !l.regular(p, rel, e) || !isManifest(e.Name()) || e.Name() == ConfigName || l.seen[p.key(rel)] {
			continue
		}
		data, err := l.read(p, rel)
		if err != nil || !bytes.Contains(data, []byte("VerdictTable")) && !bytes.Contains(data, []byte("kind: Waivers")) {
			continue
		}
		l.seen[p.key(rel)] = true
		l.keep(&File{Path: p.name(rel), Data: data, TablesOnly: true})
	}
}

// regular tells whether an entry is a file, or a link to one in the tree: a
// ConfigMap is mounted as links.
func (l *loader) regular(p *place, rel string, e fs.DirEntry) bool {
	if e.Type()&fs.ModeSymlink == 0 {
		return e.Type().IsRegular()
	}
	info, err := fs.Stat(p.fsys, rel)
	return err == nil && info.Mode().IsRegular()
}

// entries reads spec.sources, with those of the environment laid over it. What
// is malformed is left to syntax, which decodes the whole file strictly.
func (l *loader) entries(name string, data []byte) []entry {
	list := l.setting(name, data, "sources")
	if list == nil {
		return []entry{{path: ".", at: diag.Span{File: name, Line: 1, Col: 1}}}
	}
	var out []entry
	for _, n := range list.Content {
		e := entry{at: nodeSpan(name, n)}
		switch {
		case n.Kind == yaml.ScalarNode:
			e.path = n.Value
		case child(n, "kustomize") != nil:
			e.path, e.kustomize = child(n, "kustomize").Value, true
			e.at = nodeSpan(name, child(n, "kustomize"))
		case child(n, "path") != nil:
			e.path = child(n, "path").Value
			e.at = nodeSpan(name, child(n, "path"))
		}
		if ns := child(n, "namespace"); ns != nil {
			e.namespace = ns.Value
		}
		if e.path != "" {
			out = append(out, e)
		}
	}
	return out
}

// setting is a field of spec, or of the environment where that has it; nil if
// neither has.
func (l *loader) setting(name string, data []byte, fields ...string) *yaml.Node {
	text, _ := Clean(name, data)
	var doc yaml.Node
	if yaml.Unmarshal(text, &doc) != nil || len(doc.Content) == 0 {
		return nil
	}
	spec := child(doc.Content[0], "spec")
	for _, at := range []*yaml.Node{child(child(spec, "environments"), l.opts.Environment), spec} {
		for _, f := range fields {
			at = child(at, f)
		}
		if at != nil {
			return at
		}
	}
	return nil
}

// child is the value of a key in a mapping, nil if there is none.
func child(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode || key == "" {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

func nodeSpan(file string, n *yaml.Node) diag.Span {
	return diag.Span{File: file, Line: n.Line, Col: n.Column, EndLine: n.Line, EndCol: n.Column + max(1, len([]rune(n.Value)))}
}
