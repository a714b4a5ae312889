package envoy

import (
	"fmt"
	"sync"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/meshc/meshc/compiler/ir"
)

// validator runs Envoy's own validation rules on every message, and on each
// Any inside it, which these rules do not look into. What repeats is looked at once.
type validator struct {
	mu   sync.Mutex
	done map[string]bool // type URL and value of an Any
}

func newValidator() *validator { return &validator{done: map[string]bool{}} }

func (v *validator) message(kind ir.ResourceType, m proto.Message) error {
	if l, ok := m.(*listenerv3.Listener); ok && kind == ir.TypeListener && l.Address == nil {
		whole := proto.Clone(l).(*listenerv3.Listener)
		whole.Address = &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
			Address: "240.0.0.1", PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: 1},
		}}}
		m = whole
	}
	return v.deep(m)
}

func (v *validator) deep(m proto.Message) error {
	if c, ok := m.(interface{ ValidateAll() error }); ok {
		if err := c.ValidateAll(); err != nil {
			return err
		}
	}
	return v.inner(m.ProtoReflect())
}

// inner finds the Any messages of a message.
func (v *validator) inner(m protoreflect.Message) error {
	if a, ok := m.Interface().(*anypb.Any); ok {
		return v.unpack(a)
	}
	var err error
	m.Range(func(f protoreflect.FieldDescriptor, val protoreflect.Value) bool {
		switch {
		case f.IsMap():
			if f.MapValue().Message() != nil {
				val.Map().Range(func(_ protoreflect.MapKey, e protoreflect.Value) bool {
					err = v.inner(e.Message())
					return err == nil
				})
			}
		case f.Message() == nil:
		case f.IsList():
			for i := 0; i < val.List().Len() && err == nil; i++ {
				err = v.inner(val.List().Get(i).Message())
			}
		default:
			err = v.inner(val.Message())
		}
		return err == nil
	})
	return err
}

func (v *validator) unpack(a *anypb.Any) error {
	key := a.TypeUrl + "\x00" + string(a.Value)
	v.mu.Lock()
	done := v.done[key]
	v.mu.Unlock()
	if done {
		return nil
	}
	m, err := a.UnmarshalNew()
	if err != nil {
		return fmt.Errorf("%s: %w", a.TypeUrl, err)
	}
	if err := v.deep(m); err != nil {
		return fmt.Errorf("%s: %w", a.TypeUrl, err)
	}
	v.mu.Lock()
	v.done[key] = true
	v.mu.Unlock()
	return nil
}
