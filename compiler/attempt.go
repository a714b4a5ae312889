package compiler

import (
	"maps"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/compiler/waive"
)

// Attempt is what changes that were tried would come to.
type Attempt struct {
	// Found is all that is found with the objects themselves, and what is found with
	// others and was not before.
	Found diag.List
	// Edit is the names whose objects would become others, with all their objects then;
	// Back is the same names with those that they have.
	Edit, Back syntax.Edit
	// Config, Mesh, Inventory and Waivers are as in Result.
	Config    *syntax.Config
	Mesh      *ir.Mesh
	Inventory *ir.Inventory
	Waivers   []syntax.Waiver
}

// Try tells what would be found if a single object were changed. Rules in Rego and
// lowering are left out. Severities are those of Options.Stage. The session stays as it
// is; it must have compiled something before.
func (s *Session) Try(c Change) diag.List {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.try([]Change{c}, nil)
}

// Attempt is Try of objects that change together, for who judges further what the mesh
// would be.
func (s *Session) Attempt(changes ...Change) Attempt {
	s.mu.Lock()
	defer s.mu.Unlock()
	var a Attempt
	a.Found = s.try(changes, func(edit syntax.Edit) {
		a.Edit, a.Config, a.Waivers = edit, s.syntax.Config(), s.waivers()
		a.Mesh, a.Inventory = s.world.Peek()
	})
	a.Back = make(syntax.Edit, len(a.Edit))
	for name := range a.Edit {
		a.Back[name] = s.syntax.Named(name)
	}
	return a
}

// try lays changes over what there is, for as long as it looks at what they come to.
func (s *Session) try(changes []Change, look func(syntax.Edit)) diag.List {
	s.syntax.Try()
	defer s.syntax.Undo()
	edit, paths := syntax.Edit{}, map[string]bool{}
	for _, c := range changes {
		maps.Copy(edit, s.syntax.Put(c.Path, c.Data, *c.Object))
		paths[c.Path] = true
	}
	s.graph.Begin(true)
	defer s.graph.Rollback()
	s.world.Set(edit)
	added, removed := diag.Difference(s.sections, s.stages())
	fresh := added.Without(removed, func(f diag.Finding) bool { return paths[f.At().File] })
	if look != nil {
		look(edit)
	}
	rules := s.ruling().Config.Rules
	return waive.Severities(waive.Mark(staged(fresh, s.opts.Stage), s.waivers(), rules.MaxWaiver, s.opts.Now), rules.Severity)
}
