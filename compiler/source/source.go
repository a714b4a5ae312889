// Package source turns paths into a tree of documents in memory: files, folders,
// standard input, and kustomizations rendered in process. It knows which default
// namespace each file has and where each rendered object came from. It refuses
// whatever reaches out of the tree: remote references, plugins, links. It knows
// nothing of what the documents say, but for the `sources` and the `rules.dirs`
// of a meshc.yaml.
package source

import (
	"io"
	"maps"
	"path"
	"slices"
	"sort"
	"strings"
)

// Options say what to load. The zero value loads the working directory.
type Options struct {
	// Paths are files, folders, or "-" for standard input. Empty: ".".
	Paths []string
	// Stdin is read for "-"; nil is an empty input.
	Stdin io.Reader
	// Dir is the folder that paths and display names are relative to. Empty: the
	// working directory.
	Dir string
	// Environment is the name of an entry of `environments` in meshc.yaml.
	Environment string
	// Limits of what is read; zero fields mean the defaults.
	Limits Limits
	// Kept is what earlier loads from disk have read; nil: everything is read.
	Kept *Kept
	// Instead is what files hold in place of what is on disk, by display path: for who
	// looks at an edit before it is written. It adds no files, and goes without Kept.
	Instead map[string][]byte
	// RuleSets gives the rule sets from registries that spec.rules.dirs names; nil:
	// none is at hand.
	RuleSets RuleSets
}

// ConfigName is the file that rules the folder it lies in.
const ConfigName = "meshc.yaml"

// StdinName is what standard input is called in findings.
const StdinName = "stdin"

// Tree is everything that was read, in memory.
type Tree struct {
	// Config is the meshc.yaml that rules the run, nil if there is none.
	Config *File
	// Environment is the environment that was asked for, if any.
	Environment string
	// Files are read as they are, in order of path.
	Files []*File
	// Builds are the rendered kustomizations, in order of folder.
	Builds []*Build
	// Rules are the Rego files of the folders in spec.rules.dirs, in order of path.
	Rules []*File
	// Limits are the limits in force.
	Limits Limits
	// Before is the state before that a sample of a rule brings; a tree that is loaded
	// has none.
	Before *Tree

	texts map[string][]byte
}

// File is a file whose documents are read as they are.
type File struct {
	// Path is relative to Options.Dir, with slashes.
	Path string
	// Data is what the file holds, before any repair.
	Data []byte
	// Namespace is the default namespace its source gives; "" if none.
	Namespace string
	// TablesOnly: the file lies beside a meshc.yaml or a kustomization and is read
	// for verdict tables and waivers alone.
	TablesOnly bool
}

// Build is one rendered kustomization.
type Build struct {
	// Dir is the display path of the folder, Kustomization that of its file.
	Dir, Kustomization string
	// Namespace is the default namespace of its source; "" if none.
	Namespace string
	Resources []Rendered
	// Files are the display paths of what it was made of, sorted.
	Files []string
}

// Rendered is one object of a build.
type Rendered struct {
	// YAML is the object as rendered, without kustomize's own annotations.
	YAML []byte
	// Base is the display path of the file it was first written in; "" for an
	// object that a generator made, then ConfiguredIn is the generator's file.
	Base         string
	ConfiguredIn string
	// Transforms are the steps that changed it, in order.
	Transforms []Transform
}

// Transform is a step of a kustomization that touched an object.
type Transform struct {
	// ConfiguredIn is the display path of the kustomization file (or of a
	// transformer's own file) that holds the step.
	ConfiguredIn string
	// Kind is kustomize's name of the step, such as PatchTransformer.
	Kind string
}

// FromMap is a tree of files in memory, by path. A meshc.yaml at its top becomes
// the configuration, Rego files are rules wherever they lie; kustomizations are not rendered (LoadFS does that).
func FromMap(files map[string][]byte) *Tree {
	t := &Tree{Limits: Limits{}.withDefaults()}
	for _, name := range sortedKeys(files) {
		f := &File{Path: name, Data: files[name]}
		if name == ConfigName {
			t.Config = f
			t.Keep(name, f.Data)
			continue
		}
		if path.Ext(name) == ruleExt {
			t.addRule(f)
			continue
		}
		t.add(f)
	}
	return t
}

func (t *Tree) add(f *File) {
	t.Files = append(t.Files, f)
	t.Keep(f.Path, f.Data)
}

// With is a tree in which a file holds something else; without data the file is
// gone. The tree itself stays as it is. A file that was not there has no default
// namespace.
func (t *Tree) With(name string, data []byte) *Tree {
	out := *t
	out.texts = maps.Clone(t.texts)
	out.Files = slices.Clone(t.Files)
	delete(out.texts, name)
	i := slices.IndexFunc(out.Files, func(f *File) bool { return f.Path == name })
	switch config := t.Config != nil && t.Config.Path == name || t.Config == nil && name == ConfigName; {
	case config && data == nil:
		out.Config = nil
	case config:
		out.Config = &File{Path: name, Data: data}
	case data == nil:
		out.Files = slices.DeleteFunc(out.Files, func(f *File) bool { return f.Path == name })
	case i >= 0:
		own := *out.Files[i]
		own.Data = data
		out.Files[i] = &own
	default:
		out.Files = append(out.Files, &File{Path: name, Data: data})
		out.sort()
	}
	if data != nil {
		out.Keep(name, data)
	}
	return &out
}

// Keep remembers the bytes of a file that spans may point into.
func (t *Tree) Keep(name string, data []byte) {
	if t.texts == nil {
		t.texts = map[string][]byte{}
	}
	t.texts[name] = data
}

// Text is the content of a file that a span of this tree may point into: also
// bases, patches and kustomization files. It reads the names that spans carry,
// "stdin (chart/templates/x.yaml)" among them.
func (t *Tree) Text(name string) ([]byte, bool) {
	if data, ok := t.texts[name]; ok {
		return data, true
	}
	if strings.HasPrefix(name, StdinName+" (") {
		data, ok := t.texts[StdinName]
		return data, ok
	}
	return nil, false
}

// Names lists every file that Text knows, sorted.
func (t *Tree) Names() []string { return sortedKeys(t.texts) }

// Dir is the display path of the folder that meshc.yaml lies in; "" without one.
func (t *Tree) Dir() string {
	if t.Config == nil {
		return ""
	}
	return path.Dir(t.Config.Path)
}

func (t *Tree) sort() {
	sort.SliceStable(t.Files, func(i, j int) bool { return t.Files[i].Path < t.Files[j].Path })
	sort.SliceStable(t.Rules, func(i, j int) bool { return t.Rules[i].Path < t.Rules[j].Path })
	sort.SliceStable(t.Builds, func(i, j int) bool { return t.Builds[i].Dir < t.Builds[j].Dir })
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
