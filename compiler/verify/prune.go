package verify

import (
	"sync"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// pruning says which fields of a message are left out before it is decoded, and
// what is pruned inside the others. Only what has no say in who may call whom is
// left out: access logs and texts are most of a configuration's bytes, and all
// that differs between many. What is not named here stays, and is read strictly.
type pruning struct {
	url    string // of an Any: the type whose value is pruned
	fields map[protowire.Number]*pruning
}

// away stands for a field that is left out.
var away *pruning

var (
	prunedManager = without(&hcmv3.HttpConnectionManager{}, map[protoreflect.Name]*pruning{
		"access_log": away, "http_protocol_options": away, "http2_protocol_options": away, "common_http_protocol_options": away,
		"local_reply_config": without(&hcmv3.LocalReplyConfig{}, map[protoreflect.Name]*pruning{
			"mappers": without(&hcmv3.ResponseMapper{}, map[protoreflect.Name]*pruning{"body": away, "body_format_override": away, "headers_to_add": away}),
		}),
	})
	prunedFilter = without(&listenerv3.Filter{}, map[protoreflect.Name]*pruning{
		"typed_config": {url: urlManager, fields: map[protowire.Number]*pruning{anyValue: prunedManager}},
	})
	prunedChain    = without(&listenerv3.FilterChain{}, map[protoreflect.Name]*pruning{"filters": prunedFilter, "metadata": away})
	prunedListener = without(&listenerv3.Listener{}, map[protoreflect.Name]*pruning{"filter_chains": prunedChain, "default_filter_chain": prunedChain})
	prunedCluster  = without(&clusterv3.Cluster{}, map[protoreflect.Name]*pruning{
		"connect_timeout": away, "circuit_breakers": away, "upstream_connection_options": away, "common_lb_config": away, "outlier_detection": away,
		"eds_cluster_config": without(&clusterv3.Cluster_EdsClusterConfig{}, map[protoreflect.Name]*pruning{"eds_config": away}),
	})
)

const (
	urlManager = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
	anyURL     = 1
	anyValue   = 2
)

// without finds the numbers of fields.
func without(m proto.Message, fields map[protoreflect.Name]*pruning) *pruning {
	out := &pruning{fields: map[protowire.Number]*pruning{}}
	for name, inner := range fields {
		out.fields[numberOf(m, name)] = inner
	}
	return out
}

// prune appends what stays of a message to out. Bytes that are no message stay,
// for the decoder to refuse.
func (p *pruning) prune(out, body []byte) []byte {
	if p.url != "" && urlOf(body) != p.url {
		return append(out, body...)
	}
	for len(body) > 0 {
		number, kind, n := protowire.ConsumeTag(body)
		if n < 0 {
			return append(out, body...)
		}
		size := protowire.ConsumeFieldValue(number, kind, body[n:])
		if size < 0 {
			return append(out, body...)
		}
		field := body[:n+size]
		body = body[n+size:]
		inner, ok := p.fields[number]
		switch {
		case !ok || kind != protowire.BytesType:
			out = append(out, field...)
		case inner != away:
			value, _ := protowire.ConsumeBytes(field[n:])
			out = protowire.AppendTag(out, number, kind)
			start := len(out)
			out = sized(inner.prune(out, value), start)
		}
	}
	return out
}

// sized puts the length of what stands from start on before it.
func sized(out []byte, start int) []byte {
	end := len(out)
	out = protowire.AppendVarint(out, uint64(end-start))
	length := [10]byte{}
	n := copy(length[:], out[end:])
	copy(out[start+n:], out[start:end])
	copy(out[start:], length[:n])
	return out
}

// scratch are buffers to prune into: what is decoded keeps nothing of them.
var scratch = sync.Pool{New: func() any { return new([]byte) }}

// decodePruned decodes what stays of a message.
func decodePruned(p *pruning, body []byte, m proto.Message) error {
	buffer := scratch.Get().(*[]byte)
	defer scratch.Put(buffer)
	*buffer = p.prune((*buffer)[:0], body)
	return decode(*buffer, m)
}

// urlOf is the type of an Any that says it once, and first.
func urlOf(body []byte) string {
	number, kind, n := protowire.ConsumeTag(body)
	if n < 0 || number != anyURL || kind != protowire.BytesType {
		return ""
	}
	url, size := protowire.ConsumeBytes(body[n:])
	if size < 0 {
		return ""
	}
	if next, _, _ := protowire.ConsumeTag(body[n+size:]); next == anyURL {
		return ""
	}
	return string(url)
}

// eachField goes through a message's fields; value is without its length.
func eachField(body []byte, see func(number protowire.Number, kind protowire.Type, value []byte) error) error {
	for len(body) > 0 {
		number, kind, n := protowire.ConsumeTag(body)
		if n < 0 {
			return protowire.ParseError(n)
		}
		size := protowire.ConsumeFieldValue(number, kind, body[n:])
		if size < 0 {
			return protowire.ParseError(size)
		}
		value := body[n : n+size]
		if kind == protowire.BytesType {
			value, _ = protowire.ConsumeBytes(value)
		}
		if err := see(number, kind, value); err != nil {
			return err
		}
		body = body[n+size:]
	}
	return nil
}

// taken takes a message out of one that holds it, as a decoder would merge it;
// said tells whether it is there. Bytes that are no message stay in rest.
func taken(body []byte, of protowire.Number) (value []byte, said bool, rest []byte) {
	rest = make([]byte, 0, len(body))
	for len(body) > 0 {
		number, kind, n := protowire.ConsumeTag(body)
		if n < 0 {
			return value, said, append(rest, body...)
		}
		size := protowire.ConsumeFieldValue(number, kind, body[n:])
		if size < 0 {
			return value, said, append(rest, body...)
		}
		if number == of && kind == protowire.BytesType {
			inner, _ := protowire.ConsumeBytes(body[n:])
			value, said = append(value, inner...), true
		} else {
			rest = append(rest, body[:n+size]...)
		}
		body = body[n+size:]
	}
	return value, said, rest
}

func numberOf(m proto.Message, field protoreflect.Name) protowire.Number {
	return m.ProtoReflect().Descriptor().Fields().ByName(field).Number()
}

// decodeOnly reads a message that may say the named fields.
func decodeOnly(body []byte, m proto.Message, fields ...string) error {
	if err := decode(body, m); err != nil {
		return err
	}
	return only(m, fields...)
}
