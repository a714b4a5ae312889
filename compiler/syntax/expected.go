package syntax

import (
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
)

// Kind is a kind of a version of its API.
type Kind struct{ APIVersion, Kind string }

// Kinds are those that are read, in order of group, kind and version.
func Kinds() []Kind {
	var out []Kind
	for _, g := range slices.Sorted(maps.Keys(groups)) {
		for _, name := range slices.Sorted(maps.Keys(groups[g])) {
			for _, v := range groups[g][name].versions {
				out = append(out, Kind{strings.TrimPrefix(g+"/"+v, "/"), name})
			}
		}
	}
	return out
}

// lesson is what a decoder was seen to ask for at one place.
type lesson struct {
	path   string
	fields []string
	words  []string
}

// Expected tells what a place in an object of a kind takes: the fields of a map that
// stands there, sorted, and the words of which a text must be one. Both are empty
// where anything goes. Nothing keeps a list of them: the decoder is run on an object
// that has the place, and watched.
func Expected(apiVersion, kind string, path []any) (fields, words []string) {
	k, known := groups[group(apiVersion)][kind]
	if !known || !slices.Contains(k.versions, version(apiVersion)) {
		return nil, nil
	}
	as := Kind{apiVersion, kind}
	fields = watch(as, k, path, &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}).fields
	words = watch(as, k, path, text("x")).words
	slices.Sort(fields)
	return slices.Compact(fields), words
}

func text(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s} }

// watch decodes an object that holds nothing but a value at a path.
func watch(as Kind, k kind, path []any, leaf *yaml.Node) *lesson {
	var steps []any
	for _, step := range path {
		if _, item := step.(int); item {
			step = 0
		}
		steps = append(steps, step)
	}
	at := leaf
	for _, step := range slices.Backward(steps) {
		if name, field := step.(string); field {
			at = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: []*yaml.Node{text(name), at}}
		} else {
			at = &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: []*yaml.Node{at}}
		}
	}
	l := &lesson{path: pathText(steps)}
	if at.Kind != yaml.MappingNode {
		return l
	}
	var found diag.List
	o := &Object{APIVersion: as.APIVersion, Kind: as.Kind}
	doc := &source.Document{}
	o.positions = positions{doc: doc, root: at}
	d := &decoder{
		job: &job{tree: source.FromMap(nil), doc: doc, config: true}, obj: o, found: &found,
		count: mostFaults, // whose place nobody will look for
		learn: l,
	}
	d.whole(at, k)
	return l
}

// asks notes the fields of a map, takes the words of a text, if it is the place that
// is watched.
func (c *cursor) asks(fields []string) {
	if l := c.d.learn; l != nil && len(l.fields) == 0 && pathText(c.path()) == l.path {
		l.fields = slices.Clone(fields)
	}
}

func (c *cursor) takes(words ...string) {
	if l := c.d.learn; l != nil && len(l.words) == 0 && pathText(c.path()) == l.path {
		l.words = words
	}
}
