package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/diff"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/gitops/oci"
	"github.com/meshc/meshc/gitops/ruleset"
)

// judges are the rules, parameters, severities and waivers that --rules-from names.
type judges struct {
	name string // for people
	tree *source.Tree
	// judging is what they are. own says what the tree's are called: a rule set knows
	// its files by where they lay in the folder that was pushed.
	judging func(own diff.Judging) diff.Judging
}

// ruling lets them judge a tree.
func (j *judges) ruling() *compiler.Ruling {
	files, _ := syntax.Parse(j.tree)
	return &compiler.Ruling{Tree: j.tree, Config: configOf(j.tree), Waivers: files.Waivers}
}

// rulesFrom opens what --rules-from names: a revision or folder, of which paths are
// read, or a rule set in a registry.
func rulesFrom(ref string, paths []string, env string, registry registryFlags) (*judges, error) {
	of := rulesOfRevision
	if oci.IsReference(ref) {
		of = rulesOfSet
	}
	j, err := of(ref, paths, env, registry)
	if err != nil {
		return nil, err
	}
	return j, j.sound(ref)
}

// sound refuses a meshc.yaml that cannot be read: what it made of severities, waivers
// and parameters would be taken for what nobody wrote.
func (j *judges) sound(ref string) error {
	_, found := syntax.Parse(&source.Tree{Config: j.tree.Config, Environment: j.tree.Environment, Limits: j.tree.Limits})
	for _, f := range found {
		if f.Severity == diag.Error {
			return input(fmt.Errorf("--rules-from %s: it cannot judge before its meshc.yaml is mended: %s: %s: %s", ref, f.At(), f.Code, f.Message))
		}
	}
	return nil
}

func rulesOfRevision(ref string, paths []string, env string, _ registryFlags) (*judges, error) {
	j := &judges{}
	tree, _, err := revisionOf(ref, paths, env, "--rules-from needs", func(from *diffSide, tree *source.Tree) error {
		judging, err := judgingOf(tree, from.has(env, true), from.walk)
		j.name, j.judging = from.short(), func(diff.Judging) diff.Judging { return judging }
		return err
	})
	j.tree = tree
	return j, err
}

// rulesOfSet takes the rules of a rule set. It must be pinned: what judges a change
// may not become something else under the same name.
func rulesOfSet(ref string, _ []string, env string, registry registryFlags) (*judges, error) {
	at, err := registry.reference(ref)
	if err != nil {
		return nil, err
	}
	if !at.Pinned() {
		return nil, usage(fmt.Errorf("--rules-from %s is not pinned by a digest: write oci://HOST/NAME@sha256:... as `meshc policy pull %s` prints it", ref, ref))
	}
	set, err := pinnedSet(at)
	if err != nil {
		return nil, input(fmt.Errorf("--rules-from %s: %w", ref, err))
	}
	tree := setTree(at.String(), env, set.Files())
	for _, dir := range configOf(tree).Rules.Dirs {
		if source.IsRuleSet(dir) {
			return nil, input(fmt.Errorf("--rules-from %s: its meshc.yaml names a further rule set, %s: push the rules as one", ref, dir))
		}
	}
	judging, err := judgingOf(tree, env, func(string, func(string, []byte)) error { return nil })
	if err != nil {
		return nil, input(err)
	}
	return &judges{at.String(), tree, func(own diff.Judging) diff.Judging {
		out := judging
		out.Files, out.Trust = filesBeside(own, at, tree), own.Trust // nobody vouches for a digest
		return out
	}}, nil
}

// pinnedSet is a rule set from the cache, else from its registry. Both give the same:
// the reference names its bytes.
func pinnedSet(at oci.Reference) (*ruleset.Set, error) {
	keep, err := ruleset.DefaultCache()
	if err != nil {
		return nil, err
	}
	set, err := keep.Get(at.Digest())
	if errors.Is(err, fs.ErrNotExist) {
		set, _, err = ruleset.Pull(context.Background(), at, keep)
	}
	return set, err
}

// setTree is a rule set as a tree of its own: all its rules, and what judges beside
// them, in a meshc.yaml at its top and the waivers that lie there. Samples are none of it.
func setTree(name, env string, files map[string][]byte) *source.Tree {
	kept := map[string][]byte{}
	for file, data := range files {
		if path.Ext(file) == ".rego" || path.Dir(file) == "." && file != source.ConfigName {
			kept[path.Join("/", file)] = data
		}
	}
	named := map[string][]byte{}
	for file, data := range kept {
		named[name+file] = data
	}
	tree := source.FromMap(named)
	tree.Environment = env
	if data, ok := files[source.ConfigName]; ok {
		tree.Config = &source.File{Path: name + "/" + source.ConfigName, Data: data}
		tree.Keep(tree.Config.Path, data)
	}
	if env != "" && !slices.Contains(configOf(tree).Environments, env) {
		tree.Environment = ""
	}
	return tree
}

// placeOf is where a reference leads, whatever tag and digest it has.
func placeOf(ref string) string {
	place, _, _ := strings.Cut(ref, "@")
	if i := strings.LastIndex(place, ":"); i > strings.LastIndex(place, "/") {
		place = place[:i]
	}
	return place
}

// filesBeside names the rules of a set as the tree does that it is held against: by
// the reference where that names the same place, else by the folder that the tree's
// rules of the same names lie in.
func filesBeside(own diff.Judging, at oci.Reference, tree *source.Tree) map[string]diff.Written {
	place := placeOf(at.String())
	out := map[string]diff.Written{}
	if _, same := own.Files[place]; same {
		out[place] = diff.Written{Value: at.Digest(), Cause: diff.Cause{Name: "rule set " + place, File: at.String()}}
		return out
	}
	names := slices.SortedFunc(maps.Keys(own.Files), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	})
	for _, f := range tree.Rules {
		if strings.HasSuffix(f.Path, "_test.rego") {
			continue
		}
		name := strings.TrimPrefix(f.Path, at.String()+"/")
		for _, there := range names {
			if _, taken := out[there]; !taken && (there == name || strings.HasSuffix(there, "/"+name)) {
				name = there
				break
			}
		}
		sum := sha256.Sum256(f.Data)
		out[name] = diff.Written{Value: hex.EncodeToString(sum[:]), Cause: diff.Cause{Name: "rule " + name, File: f.Path, Line: 1}}
	}
	return out
}
