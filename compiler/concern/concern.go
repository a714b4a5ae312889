// Package concern tells what a change concerns: the objects that differ from an
// earlier state of a mesh, and those at the other end of a reference, in either
// direction and in either state. In come two states, out comes a set that findings
// are asked of. It knows no revisions and judges nothing.
package concern

import (
	"crypto/sha256"
	"reflect"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/policies"
)

// State is a tree and what it means.
type State struct {
	Tree      *source.Tree
	Files     *syntax.Files
	Mesh      *ir.Mesh
	Inventory *ir.Inventory
	World     *policies.World
}

// Set is what a change concerns. Names are Kind/NAMESPACE/NAME.
type Set struct {
	all   bool            // a setting that everything depends on
	names map[string]bool // concerned
	known map[string]bool // all objects, of both states
	files map[string]bool // that say something else, or are new, by display path
}

// Between is what the change from one state to another concerns.
func Between(before, after State) *Set {
	s := &Set{
		all:   !reflect.DeepEqual(before.Mesh.Settings, after.Mesh.Settings),
		names: map[string]bool{}, known: map[string]bool{}, files: map[string]bool{},
	}
	s.changedFiles(before.Tree, after.Tree)
	touched := s.objects(before, after)
	touch(touched, before, after)
	spaces := namespaces(before.Mesh, after.Mesh)
	for name := range touched {
		s.names[name] = true
		for _, w := range []*policies.World{before.World, after.World} {
			to, from := w.References(name)
			for _, end := range append(to, from...) {
				s.names[end] = true
			}
		}
	}
	for _, state := range []State{before, after} {
		for _, o := range state.Files.Objects {
			if spaces[o.Namespace] || o.Kind == "Namespace" && spaces[o.Name] {
				s.names[o.Ref().String()] = true
			}
		}
	}
	return s
}

// Changed notes that a file changed which is of no tree, such as a lock.
func (s *Set) Changed(file string) { s.files[file] = true }

// Holds tells whether the change concerns what a finding is about: its object, or
// the file that it stands in where it is about none.
func (s *Set) Holds(f diag.Finding) bool {
	if s.all || f.Object == nil || !s.known[f.Object.String()] {
		return s.all || s.files[f.At().File]
	}
	return s.names[f.Object.String()]
}

// changedFiles finds the files of a tree whose very bytes no file before had,
// whatever it was called: an earlier state may lie elsewhere.
func (s *Set) changedFiles(before, after *source.Tree) {
	was := map[[sha256.Size]byte]bool{}
	for _, name := range before.Names() {
		text, _ := before.Text(name)
		was[sha256.Sum256(text)] = true
	}
	for _, name := range after.Names() {
		if text, _ := after.Text(name); !was[sha256.Sum256(text)] {
			s.files[name] = true
		}
	}
}

// objects are the names of objects that differ, came or went.
func (s *Set) objects(before, after State) map[string]bool {
	was, out := named(before.Files), map[string]bool{}
	rendered := len(before.Tree.Builds)+len(after.Tree.Builds) > 0
	for name, o := range named(after.Files) {
		s.known[name] = true
		old := was[name]
		switch {
		case old == nil:
			out[name] = true
		case !rendered && !s.files[o.At().File]: // its text is what it was
		case o.Invalid || old.Invalid || !policies.SameObject(old, o):
			out[name] = true
		}
		delete(was, name)
	}
	for name := range was {
		s.known[name], out[name] = true, true
	}
	return out
}

func named(files *syntax.Files) map[string]*syntax.Object {
	out := make(map[string]*syntax.Object, len(files.Objects)+1)
	for _, o := range files.Objects {
		if name := o.Ref().String(); out[name] == nil {
			out[name] = o
		}
	}
	if o := files.Config.Object; o != nil {
		out[o.Ref().String()] = o
	}
	return out
}
