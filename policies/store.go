package policies

import (
	"context"
	"errors"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
)

// store is the data of one run: data.mesh, which is the world, and the parameters
// of the rules. It is one snapshot, so every transaction is the same; nothing can
// be written. The values are Rego's own, so that reading converts nothing.
type store struct {
	storage.WritesNotSupported
	storage.PolicyNotSupported
	storage.TriggersNotSupported

	world  *World
	params ast.Value
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
		return doc("mesh", s.mesh(), paramsRoot, s.params)
	case path[0] == paramsRoot:
		return within(s.params, path[1:])
	case path[0] != "mesh":
		return nil
	case len(path) == 1:
		return s.mesh()
	case path[1] == before && s.world.before == nil:
		return nil
	case path[1] == before:
		return (&store{world: s.world.before}).read(append(storage.Path{"mesh"}, path[2:]...))
	case path[1] != "objects":
		return s.entry(path[1], path[2:])
	case len(path) == 2:
		return s.objects()
	}
	return s.entry("objects/"+path[2], path[3:])
}

// entry reads from a document, all of it only if no entry is named.
func (s *store) entry(name string, rest []string) ast.Value {
	d, ok := s.world.docs[name]
	if !ok {
		return nil
	}
	if len(rest) == 0 {
		return d.all()
	}
	v := d.get(rest[0])
	if v == nil {
		return nil
	}
	return within(v, rest[1:])
}

// mesh is all of data.mesh, for a rule that walks it.
func (s *store) mesh() ast.Value {
	out := pairs{"objects", s.objects()}
	for _, name := range names(s.world.docs) {
		if !strings.HasPrefix(name, "objects/") {
			out.add(name, s.world.docs[name].all())
		}
	}
	if s.world.before != nil {
		out.add(before, (&store{world: s.world.before}).mesh())
	}
	return doc(out...)
}

func (s *store) objects() ast.Value {
	var out pairs
	for _, kind := range Kinds() {
		out.add(kind, s.world.docs["objects/"+kind].all())
	}
	return doc(out...)
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
