package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/compiler/diff"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/policies"
)

// judgingOf is what judges a tree, as meshc.yaml and the files say it. What is
// malformed there is left to the compiler, which decodes strictly.
func judgingOf(tree *source.Tree, env string, walk func(dir string, f func(name string, data []byte)) error) (diff.Judging, error) {
	j := diff.Judging{
		Severities: map[string]diff.Written{}, Params: map[string]diff.Written{},
		Files: map[string]diff.Written{}, Waivers: map[string]diff.Written{}, Trust: map[string]diff.Written{}, Own: ownWeights(tree),
	}
	for _, name := range tree.Names() {
		if data, ok := tree.Text(name); ok {
			waiversIn(&j, tree, name, data)
		}
	}
	in := settingsOf(tree, env)
	var dirs, trust *yaml.Node
	for _, scope := range []*yaml.Node{in.spec, in.env} {
		rules := field(scope, "rules")
		pairs(field(rules, "severity"), func(key, value *yaml.Node) { j.Severities[key.Value] = written(tree, key, value.Value) })
		pairs(field(rules, "params"), func(code, of *yaml.Node) {
			pairs(of, func(key, value *yaml.Node) { j.Params[code.Value+"."+key.Value] = written(tree, key, line(value)) })
		})
		// What lets more waivers count, or longer ones, widens as they do.
		for _, name := range []string{"commentWaivers", "maxWaiver"} {
			if v := field(rules, name); v != nil {
				j.Params["rules."+name] = written(tree, v, v.Value)
			}
		}
		if d := field(rules, "dirs"); d != nil {
			dirs = d
		}
		if t := field(rules, "trust"); t != nil {
			trust = t
		}
		if w := field(scope, "waivers"); w != nil {
			for _, one := range w.Content {
				j.Waivers[line(one)] = written(tree, one, "")
			}
		}
	}
	return j, errors.Join(trustFiles(&j, tree, trust, walk), ruleFiles(&j, tree, dirs, walk))
}

// ownWeights are the severities that the tree's own rules say of themselves. One
// that cannot be read says nothing; a check finds it.
func ownWeights(tree *source.Tree) map[string]diff.Weight {
	if len(tree.Rules) == 0 {
		return nil
	}
	out := map[string]diff.Weight{}
	judge, _ := policies.Load(policies.Options{Files: tree.Rules, NoLibrary: true, Disabled: true})
	for _, r := range judge.Known() {
		out[string(r.Code)] = diff.Weight{Levels: levelsOf(r), Cause: diff.Cause{Name: "rule " + string(r.Code), File: r.File, Line: r.At.Line, Col: r.At.Col}}
	}
	return out
}

// trustFiles takes in the keys that rules.trust names.
func trustFiles(j *diff.Judging, tree *source.Tree, trust *yaml.Node, walk func(string, func(string, []byte)) error) error {
	if trust == nil {
		return nil
	}
	for _, key := range trust.Content {
		content := sha256.New()
		err := walk(path.Join(tree.Dir(), key.Value), func(_ string, data []byte) { content.Write(data) })
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		j.Trust[key.Value] = written(tree, key, hex.EncodeToString(content.Sum(nil)))
	}
	return nil
}

// ruleFiles takes in the files below rules.dirs; a rule set that is fetched
// stands for itself.
func ruleFiles(j *diff.Judging, tree *source.Tree, dirs *yaml.Node, walk func(string, func(string, []byte)) error) error {
	if dirs == nil {
		return nil
	}
	for _, d := range dirs.Content {
		if strings.Contains(d.Value, "://") {
			_, pin, _ := strings.Cut(d.Value, "@")
			j.Files[placeOf(d.Value)] = written(tree, d, pin)
			continue
		}
		err := walk(path.Join(tree.Dir(), d.Value), func(name string, data []byte) {
			if path.Ext(name) != ".rego" || strings.HasSuffix(name, "_test.rego") {
				return // a test, a sample or prose judges nothing
			}
			sum := sha256.Sum256(data)
			short, err := filepath.Rel(filepath.FromSlash(tree.Dir()), filepath.FromSlash(name))
			if err != nil {
				short = name
			}
			short = filepath.ToSlash(short)
			j.Files[short] = diff.Written{Value: hex.EncodeToString(sum[:]), Cause: diff.Cause{Name: "rule " + short, File: name, Line: 1}}
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func written(tree *source.Tree, at *yaml.Node, value string) diff.Written {
	return diff.Written{Value: value, Cause: diff.Cause{Name: source.ConfigName, File: tree.Config.Path, Line: at.Line, Col: at.Column}}
}

// field is the value of a key; nil where there is none.
func field(n *yaml.Node, key string) *yaml.Node {
	var out *yaml.Node
	pairs(n, func(k, v *yaml.Node) {
		if k.Value == key && key != "" {
			out = v
		}
	})
	return out
}

func pairs(n *yaml.Node, f func(key, value *yaml.Node)) {
	if n == nil || n.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		f(n.Content[i], n.Content[i+1])
	}
}

// line is a value in one line, keys in order, whatever its layout was.
func line(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		var parts []string
		pairs(n, func(k, v *yaml.Node) { parts = append(parts, k.Value+": "+line(v)) })
		slices.Sort(parts)
		return "{" + strings.Join(parts, ", ") + "}"
	case yaml.SequenceNode:
		var parts []string
		for _, v := range n.Content {
			parts = append(parts, line(v))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case yaml.AliasNode:
		return fmt.Sprintf("*%s", n.Value)
	}
	return n.Value
}

// walk reads every file below a folder of the side.
func (d *diffSide) walk(dir string, f func(name string, data []byte)) error {
	if d.tree != nil {
		return fs.WalkDir(d.tree, path.Clean(dir), visit(func(name string) ([]byte, error) { return fs.ReadFile(d.tree, name) }, f))
	}
	return filepath.WalkDir(filepath.FromSlash(dir), visit(os.ReadFile, f))
}

// mostRules is the largest file that is read as one, in bytes.
const mostRules = 4 << 20

// visit reads files, and those that links lead to; a link to a folder is not
// followed, and stands for itself.
func visit(read func(string) ([]byte, error), f func(string, []byte)) fs.WalkDirFunc {
	return func(name string, e fs.DirEntry, err error) error {
		link := err == nil && e.Type() == fs.ModeSymlink
		if err != nil || !link && !e.Type().IsRegular() {
			return err
		}
		if info, err := e.Info(); err != nil || info.Size() > mostRules {
			return err
		}
		data, err := read(name)
		switch {
		case link && err != nil:
			data = []byte("a link")
		case err != nil:
			return err
		}
		f(filepath.ToSlash(name), data)
		return nil
	}
}
