package envoy

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/meshc/meshc/compiler/ir"
)

var wire = proto.MarshalOptions{Deterministic: true}

// store collects what is lowered. References are given out in the order of
// arrival, which says nothing; seal sorts, and tells where each one went.
type store struct {
	mu    sync.Mutex
	items []ir.Resource
	needs [][]reference // of each item
	found map[resourceKey]ir.Ref
	inner sync.Map // *anypb.Any to the references in it
	logs  sync.Map // what access logs have in common, by their fields
	err   error
}

type resourceKey struct {
	kind       ir.ResourceType
	name, body string
}

func newStore() *store {
	return &store{found: map[resourceKey]ir.Ref{}}
}

// fail keeps the first defect; Lower ends with it.
func (s *store) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
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
	needs := s.references(m)
	key := resourceKey{kind, name, string(body)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if ref, ok := s.found[key]; ok {
		return ref
	}
	ref := ir.Ref(len(s.items))
	s.items = append(s.items, ir.Resource{Type: kind, Name: name, Body: body})
	s.needs = append(s.needs, needs)
	s.found[key] = ref
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
		s.inner.Store(a, refs)
	}
	return a
}

// inside are the references of the message that pack put into an Any.
func (s *store) inside(a *anypb.Any) []reference {
	if refs, ok := s.inner.Load(a); ok {
		return refs.([]reference)
	}
	return nil
}

// seal returns the resources by type, name and body, and a function from the
// references that add gave out to their final places.
func (s *store) seal() ([]ir.Resource, func(ir.Ref) ir.Ref) {
	order := make([]int, len(s.items))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		x, y := &s.items[a], &s.items[b]
		if c := cmp.Or(cmp.Compare(x.Type, y.Type), cmp.Compare(x.Name, y.Name)); c != 0 {
			return c
		}
		return bytes.Compare(x.Body, y.Body)
	})
	sorted, place := make([]ir.Resource, len(order)), make([]ir.Ref, len(order))
	for to, from := range order {
		sorted[to], place[from] = s.items[from], ir.Ref(to)
	}
	return sorted, func(r ir.Ref) ir.Ref {
		if r == ir.NoRef {
			return ir.NoRef
		}
		return place[r]
	}
}
