package verify

import (
	"fmt"
	"slices"
	"strings"

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
