package source

import (
	"io/fs"
	"path"
	"strings"

	"go.yaml.in/yaml/v3"
)

const ruleExt = ".rego"

// ruleDirs reads spec.rules.dirs, with those of the environment laid over it.
func (l *loader) ruleDirs(name string, data []byte) []entry {
	return l.paths(name, data, "rules", "dirs")
}

// paths reads a list of paths below spec, each with its place.
func (l *loader) paths(name string, data []byte, at ...string) []entry {
	list := l.setting(name, data, at...)
	if list == nil {
		return nil
	}
	var out []entry
	for _, n := range list.Content {
		if n.Kind == yaml.ScalarNode && n.Value != "" {
			out = append(out, entry{path: n.Value, at: nodeSpan(name, n)})
		}
	}
	return out
}

// rules reads the Rego files of a folder and of those below it. Samples beside
// them are no manifests of the mesh: a walk of the sources stops at the folder.
func (l *loader) rules(p *place, dir string, e entry) error {
	top, err := inside(dir, e.path)
	if err != nil {
		return err
	}
	return fs.WalkDir(p.fsys, top, func(rel string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), ".") && rel != top:
			return fs.SkipDir
		case d.IsDir() || path.Ext(rel) != ruleExt || l.seen[p.key(rel)]:
			return nil
		}
		l.seen[p.key(rel)] = true
		text, err := l.read(p, rel)
		if err == nil && text != nil {
			l.keepRule(&File{Path: p.name(rel), Data: text})
		}
		return err
	})
}

// keepRule adds a rule's file to the tree unless it is too large.
func (l *loader) keepRule(f *File) {
	if l.fits(f.Path, len(f.Data)) {
		l.tree.addRule(f)
	}
}

func (t *Tree) addRule(f *File) {
	t.Rules = append(t.Rules, f)
	t.Keep(f.Path, f.Data)
}
