package compiler

import (
	"github.com/meshc/meshc/compiler/concern"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/resolve"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/policies"
)

// Base is an earlier state that a tree is compared with.
type Base struct{ state concern.State }

// Before is what a tree meant, without judging it. Of a tree with errors it is what
// could be understood.
func Before(tree *source.Tree, known ir.Known, opts Options) *Base {
	s := newSession(known, Options{Now: opts.Now, NoPlan: true, NoRules: true})
	result, _ := s.Load(tree, known)
	return &Base{stateOf(s, result.Mesh, result.Inventory)}
}

func stateOf(s *Session, mesh *ir.Mesh, inventory *ir.Inventory) concern.State {
	files := s.syntax.Files()
	return concern.State{Tree: s.tree, Files: files, Mesh: mesh, Inventory: inventory, World: policies.NewWorld(files, mesh, inventory, s.opts.Now)}
}

// Ruling is what judges a tree instead of what the tree says itself: the rules of
// another one, and the parameters, severities and waivers of its meshc.yaml.
type Ruling struct {
	Tree   *source.Tree
	Config *syntax.Config
}

// ruling is what judges the session's tree.
func (s *Session) ruling() Ruling {
	if s.opts.Ruling != nil {
		return *s.opts.Ruling
	}
	return Ruling{s.tree, s.syntax.Config()}
}

// judged is what rules see: the mesh, and the state before it where that is known.
func (s *Session) judged(meaning resolve.Result) *policies.World {
	world := policies.NewWorld(s.syntax.Files(), meaning.Mesh, meaning.Inventory, s.opts.Now)
	if s.opts.Base != nil {
		world.Since(s.opts.Base.state.World)
	}
	return world
}
