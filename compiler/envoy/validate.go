package envoy

import (
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/proto"
)

// placeholder stands for the address that link appends: the validation rules
// of a listener demand one.
var placeholder = socket("240.0.0.1", 1)

// validate runs Envoy's own validation rules. They do not look into an Any, so
// store.pack, the only way into one, validates what it packs.
func validate(m proto.Message) error {
	if l, ok := m.(*listenerv3.Listener); ok && l.Address == nil {
		l.Address = placeholder
		defer func() { l.Address = nil }()
	}
	if v, ok := m.(interface{ ValidateAll() error }); ok {
		return v.ValidateAll()
	}
	return nil
}
