package compiler

import (
	"github.com/meshc/meshc/compiler/concern"
	"github.com/meshc/meshc/compiler/ir"
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
	// Waivers are all of that tree, those of its files and comments too.
	Waivers []syntax.Waiver
}

// ruling is what judges the session's tree.
func (s *Session) ruling() Ruling {
	if s.opts.Ruling != nil {
		return *s.opts.Ruling
	}
	return Ruling{Tree: s.tree, Config: s.syntax.Config(), Waivers: s.syntax.Waivers()}
}

// waivers are those in force. Comments of another tree are for lines of that tree:
// one counts where this tree has it too, beside the same text.
func (s *Session) waivers() []syntax.Waiver {
	own := s.syntax.Waivers()
	if s.opts.Ruling == nil {
		return own
	}
	var out []syntax.Waiver
	for _, w := range s.opts.Ruling.Waivers {
		if w.Within.File == "" {
			out = append(out, w)
			continue
		}
		for _, here := range own {
			same := here
			same.At, same.Within = w.At, w.Within
			if here.Within.File == w.Within.File && same == w {
				out = append(out, here)
				break
			}
		}
	}
	return out
}
