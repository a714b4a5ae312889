package envoy

import (
	"fmt"
	"sync"

	"github.com/meshc/meshc/compiler/ir"
)

// checkExpressions measures every expression of matches in the form in which
// Envoy compiles it. resolve has refused what a user wrote too large; this is
// for what anchoring and searching have added.
func (l *lowering) checkExpressions(matches []ir.Match) error {
	for _, m := range matches {
		for _, expr := range expressions(m) {
			if err := l.sizes.check(expr); err != nil {
				return fmt.Errorf("%s: the expression %q %w", m.Name, expr, err)
			}
		}
	}
	return nil
}

// sizes remembers which expressions Envoy takes: thousands of resources share them.
type sizes struct {
	lock sync.Mutex
	good map[string]bool
}

const mostSizes = 10000

func (s *sizes) check(expr string) error {
	s.lock.Lock()
	good := s.good[expr]
	s.lock.Unlock()
	if good {
		return nil
	}
	if err := measure(expr); err != nil {
		return err
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	if len(s.good) >= mostSizes {
		clear(s.good)
	}
	s.good[expr] = true
	return nil
}

func measure(expr string) error {
	size, err := ir.ExpressionSize(expr)
	if err != nil {
		return fmt.Errorf("cannot be read: %w", err)
	}
	if size > ir.ProgramLimit {
		return fmt.Errorf("makes a program of about %d instructions, Envoy takes %d", size, ir.ProgramLimit)
	}
	return nil
}

func expressions(m ir.Match) []string {
	var out []string
	if m.Path != "" {
		out = append(out, m.Path)
	}
	for _, h := range m.Headers {
		out = append(out, headerRegex(h))
	}
	return out
}
