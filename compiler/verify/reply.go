package verify

import (
	"fmt"
	"slices"
	"strings"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	celv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/filters/cel/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
)

// event is an answer of the proxy itself before it is mapped: its status,
// response flag and code details, as Envoy would log them.
type event struct {
	status        int
	flag, details string
}

// end answers a request.
func (m *manager) end(status int, details string) *answer {
	return &answer{status: m.mapped(event{status: status, details: details}), reason: details}
}

// reply answers a request that could not be forwarded.
func (m *manager) reply(status int, flag string) int {
	return m.mapped(event{status: status, flag: flag})
}

// mapped is the status after the first mapper that takes the answer.
func (m *manager) mapped(e event) int {
	for _, r := range m.replies {
		if !r.takes(e) {
			continue
		}
		if r.status != 0 {
			return r.status
		}
		break
	}
	return e.status
}

// mapper gives the proxy's own answers of a kind another status.
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
	case *accesslogv3.AccessLogFilter_ExtensionFilter:
		cel, err := unpackAs[*celv3.ExpressionFilter](f.ExtensionFilter.GetTypedConfig())
		if err != nil {
			return nil, err
		}
		return detailsFilter(cel.GetExpression())
	}
	return nil, fmt.Errorf("filter %T is not understood", m.GetFilterSpecifier())
}

// detailsFilter reads the one form of CEL expression that is understood.
func detailsFilter(expression string) (func(event) bool, error) {
	rest, ok := strings.CutPrefix(expression, `response.code_details.startsWith("`)
	prefix, closed := strings.CutSuffix(rest, `")`)
	if !ok || !closed || strings.ContainsAny(prefix, `"\\`) {
		return nil, fmt.Errorf("expression %s is not understood", expression)
	}
	return func(e event) bool { return strings.HasPrefix(e.details, prefix) }, nil
}
