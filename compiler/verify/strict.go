package verify

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
)

// only refuses a message that says more than the named fields. What a message
// may say is listed where it is read, so that a field nobody thought of is an
// error and not a guess.
func only(m proto.Message, fields ...string) error {
	r := m.ProtoReflect()
	if len(r.GetUnknown()) > 0 {
		return fmt.Errorf("%s has fields that this version does not know", r.Descriptor().Name())
	}
	if strictnessOf(m, fields).satisfied(m) {
		return nil
	}
	var more []string
	r.Range(func(f protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		if !slices.Contains(fields, string(f.Name())) {
			more = append(more, string(f.Name()))
		}
		return true
	})
	if len(more) > 0 {
		slices.Sort(more)
		return fmt.Errorf("%s says %s, which is not understood", r.Descriptor().Name(), strings.Join(more, ", "))
	}
	return nil
}

// strictness is a quick look at a type of message: whether the fields of its
// struct that it may not say are all empty. It is the same question that only
// asks of the descriptor, a tenth of the time.
type strictness struct {
	fields []string
	empty  []int    // indices of struct fields that must be
	oneofs []int    // indices of interfaces
	chosen sync.Map // type of what is in an interface to whether it may be
}

var strictnesses sync.Map // reflect.Type to *strictness

func strictnessOf(m proto.Message, fields []string) *strictness {
	t := reflect.TypeOf(m)
	if known, ok := strictnesses.Load(t); ok && slices.Equal(known.(*strictness).fields, fields) {
		return known.(*strictness)
	}
	s := &strictness{fields: slices.Clone(fields)}
	for i := range t.Elem().NumField() {
		f := t.Elem().Field(i)
		switch {
		case f.Tag.Get("protobuf_oneof") != "":
			s.oneofs = append(s.oneofs, i)
		case f.Tag.Get("protobuf") != "" && !s.named(f):
			s.empty = append(s.empty, i)
		}
	}
	strictnesses.Store(t, s)
	return s
}

// named tells whether a struct field is of one of the fields that may be said.
func (s *strictness) named(f reflect.StructField) bool {
	for part := range strings.SplitSeq(f.Tag.Get("protobuf"), ",") {
		if name, ok := strings.CutPrefix(part, "name="); ok {
			return slices.Contains(s.fields, name)
		}
	}
	return false
}

// satisfied may be false for a message that is fine, and never true for one that is not.
func (s *strictness) satisfied(m proto.Message) bool {
	v := reflect.ValueOf(m)
	if v.IsNil() {
		return true
	}
	v = v.Elem()
	for _, i := range s.empty {
		if !v.Field(i).IsZero() {
			return false
		}
	}
	for _, i := range s.oneofs {
		if in := v.Field(i); !in.IsNil() && !s.may(in.Elem().Type()) {
			return false
		}
	}
	return true
}

func (s *strictness) may(choice reflect.Type) bool {
	if may, ok := s.chosen.Load(choice); ok {
		return may.(bool)
	}
	may := choice.Kind() == reflect.Pointer && choice.Elem().NumField() == 1 && s.named(choice.Elem().Field(0))
	s.chosen.Store(choice, may)
	return may
}

// unpack reads an Any of a known type.
func unpack(a *anypb.Any) (proto.Message, error) {
	m, err := a.UnmarshalNew()
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", a.GetTypeUrl(), err)
	}
	return m, nil
}

// unpackAs reads an Any that must be of one type.
func unpackAs[M proto.Message](a *anypb.Any) (M, error) {
	var none M
	m, err := unpack(a)
	if err != nil {
		return none, err
	}
	typed, ok := m.(M)
	if !ok {
		return none, fmt.Errorf("%s is not a %s", a.GetTypeUrl(), none.ProtoReflect().Descriptor().Name())
	}
	return typed, nil
}

// inside says where an error is.
func inside(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), err)
}
