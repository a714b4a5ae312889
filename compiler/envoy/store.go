package envoy

import (
	"bytes"
	"cmp"
	"fmt"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/meshc/meshc/compiler/ir"
)

var wire = proto.MarshalOptions{Deterministic: true}

// store collects what is lowered together. References count its resources from 0
// in the order in which they came. It is for one goroutine, but for what it shares.
type store struct {
	items  []*item
	found  map[resourceKey][]ir.Ref
	inner  map[*anypb.Any][]reference // what is named inside
	shared *store                     // what it may name and wrap besides its own; nil: nothing
	packed *sync.Map                  // what many resources wrap, by what it is made of
	err    error
}

// item is a resource and the names that it depends on.
type item struct {
	ir.Resource
	needs []reference
	run   int    // the last run of the session that needed it
	place ir.Ref // in the plan of that run
}

type resourceKey struct {
	kind ir.ResourceType
	name string
}

func newStore(shared *store) *store {
	if shared != nil {
		return &store{found: map[resourceKey][]ir.Ref{}, inner: map[*anypb.Any][]reference{}, shared: shared, packed: shared.packed}
	}
	return &store{found: map[resourceKey][]ir.Ref{}, inner: map[*anypb.Any][]reference{}, packed: &sync.Map{}}
}

// fail keeps the first defect; Lower ends with it.
func (s *store) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

// add validates and serialises a message; equal ones share one reference.
func (s *store) add(kind ir.ResourceType, name string, m proto.Message) ir.Ref {
	if err := validate(m); err != nil {
		s.fail(fmt.Errorf("%s %q: %w", kind, name, err))
		return ir.NoRef
	}
	body, err := wire.Marshal(m)
	if err != nil {
		s.fail(fmt.Errorf("%s %q: %w", kind, name, err))
		return ir.NoRef
	}
	key := resourceKey{kind, name}
	for _, ref := range s.found[key] {
		if bytes.Equal(s.items[ref].Body, body) {
			return ref
		}
	}
	ref := ir.Ref(len(s.items))
	s.items = append(s.items, &item{Resource: ir.Resource{Type: kind, Name: name, Body: body}, needs: s.references(m)})
	s.found[key] = append(s.found[key], ref)
	return ref
}

// pack validates a message and wraps it. It is the only way into an Any, so
// nothing inside one escapes validation. The bytes of an Any are part of those
// of the message around it, so they are deterministic too.
func (s *store) pack(m proto.Message) *anypb.Any {
	name := m.ProtoReflect().Descriptor().FullName()
	if err := validate(m); err != nil {
		s.fail(fmt.Errorf("%s: %w", name, err))
	}
	body, err := wire.Marshal(m)
	if err != nil {
		s.fail(fmt.Errorf("%s: %w", name, err))
	}
	a := &anypb.Any{TypeUrl: "type.googleapis.com/" + string(name), Value: body}
	if refs := s.references(m); len(refs) > 0 {
		s.inner[a] = refs
	}
	return a
}

// once is pack of a message that is always the same, and names nothing.
func (s *store) once(key any, m func() proto.Message) *anypb.Any {
	if a, ok := s.packed.Load(key); ok {
		return a.(*anypb.Any)
	}
	a, _ := s.packed.LoadOrStore(key, s.pack(m()))
	return a.(*anypb.Any)
}

// inside are the references of the message that pack put into an Any.
func (s *store) inside(a *anypb.Any) []reference {
	if refs, ok := s.inner[a]; ok || s.shared == nil {
		return refs
	}
	return s.shared.inside(a)
}

func sameItem(a, b *item) bool {
	return a == b || a.Name == b.Name && a.Type == b.Type && bytes.Equal(a.Body, b.Body)
}

// compareItems is the order of resources in a plan.
func compareItems(a, b *item) int {
	if c := cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Name, b.Name)); c != 0 {
		return c
	}
	return bytes.Compare(a.Body, b.Body)
}
