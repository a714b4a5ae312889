package verify

import (
	"fmt"
	"slices"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
)

// local is what a proxy has learned of a request when it answers by itself.
type local struct {
	*manager
	metadata map[string]string // FILTER/KEY
}

func (l *local) judged(filter string, r *rbac, ok bool) {
	if l.metadata == nil {
		l.metadata = map[string]string{}
	}
	result := "denied"
	if ok {
		result = "allowed"
	}
	if r.rules != nil {
		l.metadata[filter+"/"+r.prefix+"enforced_engine_result"] = result
	}
}

// end answers a request.
func (l *local) end(status int, reason string) *answer {
	return &answer{status: l.reply(status, ""), reason: reason}
}

// reply is the status of a local answer after the first mapper that takes it.
func (l *local) reply(status int, flag string) int {
	e := event{status, flag, l.metadata}
	for _, m := range l.replies {
		if m.takes(e) {
			if m.status != 0 {
				return m.status
			}
			return status
		}
	}
	return status
}

// event is a local answer before it is mapped.
type event struct {
	status   int
	flag     string
	metadata map[string]string
}

// mapper gives local answers of a kind another status.
type mapper struct {
	takes  func(event) bool
	status int
}

func newMappers(m *hcmv3.LocalReplyConfig) ([]mapper, error) {
	if m == nil {
		return nil, nil
	}
	if err := only(m, "mappers", "body_format"); err != nil {
		return nil, err
	}
	return each(m.Mappers, func(m *hcmv3.ResponseMapper) (mapper, error) {
		if err := only(m, "filter", "status_code", "body", "body_format_override", "headers_to_add"); err != nil {
			return mapper{}, err
		}
		takes, err := eventFilter(m.Filter)
		return mapper{takes, int(m.StatusCode.GetValue())}, inside(err, "local reply")
	})
}

func eventFilter(m *accesslogv3.AccessLogFilter) (func(event) bool, error) {
	switch f := m.GetFilterSpecifier().(type) {
	case *accesslogv3.AccessLogFilter_StatusCodeFilter:
		c := f.StatusCodeFilter.GetComparison()
		if c.GetOp() != accesslogv3.ComparisonFilter_EQ {
			return nil, fmt.Errorf("comparison %s is not understood", c.GetOp())
		}
		return func(e event) bool { return e.status == int(c.GetValue().GetDefaultValue()) }, nil
	case *accesslogv3.AccessLogFilter_ResponseFlagFilter:
		return func(e event) bool { return slices.Contains(f.ResponseFlagFilter.GetFlags(), e.flag) }, nil
	case *accesslogv3.AccessLogFilter_MetadataFilter:
		return metadataFilter(f.MetadataFilter)
	}
	return nil, fmt.Errorf("filter %T is not understood", m.GetFilterSpecifier())
}

func metadataFilter(m *accesslogv3.MetadataFilter) (func(event) bool, error) {
	match := m.GetMatcher()
	if err := only(match, "filter", "path", "value"); err != nil {
		return nil, err
	}
	if len(match.Path) != 1 {
		return nil, fmt.Errorf("a path of %d metadata keys is not understood", len(match.Path))
	}
	value, ok := match.GetValue().GetMatchPattern().(*matcherv3.ValueMatcher_StringMatch)
	if !ok {
		return nil, fmt.Errorf("metadata value %T is not understood", match.GetValue().GetMatchPattern())
	}
	is, err := stringMatcher(value.StringMatch)
	key := match.Filter + "/" + match.Path[0].GetKey()
	missing := m.MatchIfKeyNotFound == nil || m.MatchIfKeyNotFound.GetValue()
	return func(e event) bool {
		v, found := e.metadata[key]
		if !found {
			return missing
		}
		return is(v)
	}, err
}
