package compiler

import (
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/policies"
)

// aside runs f beside the caller, who gets what it gave by asking for it.
func aside[T any](f func() T) func() T {
	out := make(chan T, 1)
	go func() { out <- f() }()
	return func() T { return <-out }
}

// rules are those that judge, and what is wrong with them; without a judge nothing does.
type rules struct {
	judge *policies.Judge
	found *diag.List
}

// loader compiles the rules; it does not look at the session.
func (s *Session) loader() func() rules {
	if s.opts.NoRules {
		return func() rules { return rules{} }
	}
	ruling, comparing := s.ruling(), s.opts.ComparingOnly
	return func() rules {
		judge, found := policies.For(ruling.Tree, ruling.Config)
		if comparing {
			judge = judge.Comparing()
		}
		return rules{judge, &found}
	}
}
