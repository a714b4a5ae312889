package policies

import (
	"context"
	"errors"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"

	"github.com/meshc/meshc/policies/sieve"
)

// store is the data of one run: data.mesh, which is the world, and the parameters
// of the rules. It is one snapshot, so every transaction is the same; nothing can
// be written. The values are Rego's own, so that reading converts nothing.
type store struct {
	storage.WritesNotSupported
	storage.PolicyNotSupported
	storage.TriggersNotSupported

	world    *World
	params   ast.Value
	recorder *recorder
}

type snapshot struct{}

// ID is the same for all: there is one snapshot.
func (snapshot) ID() uint64 { return 1 }

func (s *store) NewTransaction(context.Context, ...storage.TransactionParams) (storage.Transaction, error) {
	return snapshot{}, nil
}

func (s *store) Commit(context.Context, storage.Transaction) error { return nil }
func (s *store) Abort(context.Context, storage.Transaction)        {}
func (s *store) Truncate(context.Context, storage.Transaction, storage.TransactionParams, storage.Iterator) error {
	return &storage.Error{Code: storage.WritesNotSupportedErr}
}

// Read is the value at a path.
func (s *store) Read(_ context.Context, _ storage.Transaction, path storage.Path) (any, error) {
	if len(path) > 0 && path[0] == "params" {
		// Parameters lie elsewhere, and a rule that reached for them by a detour would
		// find nothing and pass everything.
		return nil, errors.New("write data.params.NAME to read a parameter")
	}
	if v := s.read(path); v != nil {
		return v, nil
	}
	return nil, &storage.Error{Code: storage.NotFoundErr, Message: "there is no data." + strings.Join(path, ".")}
}

func (s *store) read(path storage.Path) ast.Value {
	switch {
	case len(path) == 0:
		s.recorder.note(s.world.data, "", true)
		return astDoc("mesh", s.world.data, paramsRoot, s.params)
	case path[0] == paramsRoot:
		return within(s.params, path[1:])
	case path[0] != "mesh":
		return nil
	}
	at := sieve.Map(s.world.data)
	for i, step := range path[1:] {
		if d, leaf := at.(*document); leaf {
			s.recorder.note(d, step, false)
			l := d.at(step)
			if l == nil {
				return nil
			}
			return within(l.ast(), path[i+2:])
		}
		below, ok := at.Get(step).(sieve.Map)
		if !ok {
			return nil
		}
		at = below
	}
	s.recorder.note(at, "", true)
	return at.AST()
}

// within is the value at a path into a value, nil if there is none.
func within(v ast.Value, path []string) ast.Value {
	for _, step := range path {
		var t *ast.Term
		switch at := v.(type) {
		case ast.Object:
			t = at.Get(ast.InternedTerm(step))
		case *ast.Array:
			if i, ok := position(step); ok && i < at.Len() {
				t = at.Elem(i)
			}
		}
		if t == nil {
			return nil
		}
		v = t.Value
	}
	return v
}

// position is a place in an array, as storage paths write it.
func position(step string) (int, bool) {
	n := 0
	for _, c := range step {
		if c < '0' || c > '9' || n > 1<<30 {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, step != ""
}
