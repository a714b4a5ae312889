package verify

import (
	"regexp"
	"slices"
	"strings"

	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/verify/probe"
)

// mentions are the strings that configuration tells requests apart by, each as
// an expression that must match in full. Requests made of them find what the
// configuration says and the mesh does not.
type mentions struct {
	paths, methods []string
	headers        []ir.HeaderMatch
}

func mentionsOf(messages ...proto.Message) mentions {
	var out mentions
	for _, m := range messages {
		out.read(m.ProtoReflect())
	}
	return out
}

func (s *mentions) read(m protoreflect.Message) {
	if !m.IsValid() {
		return
	}
	switch v := m.Interface().(type) {
	case *routev3.HeaderMatcher:
		s.header(v)
		return
	case *matcherv3.PathMatcher:
		s.paths = append(s.paths, expression(v.GetPath()))
		return
	case *routev3.RouteMatch:
		s.route(v)
	}
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.Message() == nil:
		case f.IsMap():
			if f.MapValue().Message() != nil {
				v.Map().Range(func(_ protoreflect.MapKey, e protoreflect.Value) bool { s.read(e.Message()); return true })
			}
		case f.IsList():
			for i := range v.List().Len() {
				s.read(v.List().Get(i).Message())
			}
		default:
			s.read(v.Message())
		}
		return true
	})
}

func (s *mentions) header(m *routev3.HeaderMatcher) {
	expr := ""
	if sm := m.GetStringMatch(); sm != nil {
		expr = expression(sm)
	}
	if m.Name == ":method" {
		s.methods = append(s.methods, expr)
		return
	}
	s.headers = append(s.headers, ir.HeaderMatch{Name: m.Name, Regex: expr, Full: true})
}

func (s *mentions) route(m *routev3.RouteMatch) {
	switch p := m.PathSpecifier.(type) {
	case *routev3.RouteMatch_Prefix:
		s.paths = append(s.paths, regexp.QuoteMeta(p.Prefix)+".*")
	case *routev3.RouteMatch_Path:
		s.paths = append(s.paths, regexp.QuoteMeta(p.Path))
	case *routev3.RouteMatch_SafeRegex:
		s.paths = append(s.paths, p.SafeRegex.GetRegex())
	}
}

// people are the identities that configuration names: by themselves, or as one
// that a vaguer matcher takes.
type people []ir.Identity

func (p *people) add(m *matcherv3.StringMatcher) {
	if id := m.GetExact(); id != "" {
		*p = append(*p, ir.Identity(id))
		return
	}
	for _, s := range probe.Examples(expression(m)) {
		if strings.HasPrefix(s, "spiffe://") {
			*p = append(*p, ir.Identity(s))
		}
	}
}

func (p *people) principal(m *rbacv3.Principal) {
	p.add(m.GetAuthenticated().GetPrincipalName())
	for _, sub := range slices.Concat(m.GetAndIds().GetIds(), m.GetOrIds().GetIds()) {
		p.principal(sub)
	}
	if not := m.GetNotId(); not != nil {
		p.principal(not)
	}
}

// expression is a string matcher as an expression that matches in full.
func expression(m *matcherv3.StringMatcher) string {
	switch p := m.GetMatchPattern().(type) {
	case *matcherv3.StringMatcher_Exact:
		return regexp.QuoteMeta(p.Exact)
	case *matcherv3.StringMatcher_Prefix:
		return regexp.QuoteMeta(p.Prefix) + ".*"
	case *matcherv3.StringMatcher_Suffix:
		return ".*" + regexp.QuoteMeta(p.Suffix)
	case *matcherv3.StringMatcher_Contains:
		return ".*" + regexp.QuoteMeta(p.Contains) + ".*"
	case *matcherv3.StringMatcher_SafeRegex:
		return p.SafeRegex.GetRegex()
	}
	return ".*"
}
