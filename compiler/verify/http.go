package verify

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	earlyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/http/early_header_mutation/header_mutation/v3"
	"google.golang.org/protobuf/proto"

	"github.com/meshc/meshc/compiler/ir"
)

// manager is an HTTP connection manager.
type manager struct {
	normalises bool
	drops      []test  // names of headers that are removed before anything else
	rds        string  // the name of its routes, or
	routes     *routes // the routes themselves
	guards     []guard // RBAC filters in order
	replies    []mapper
	class      string
}

type guard struct {
	name string
	rbac *rbac
}

// readManager reads a connection manager. Many differ in nothing but where their
// routes come from.
func readManager(body []byte) (filter, error) {
	source, said, rest := taken(body, rdsField)
	alike, err := readManagers.get(rest, func() (*manager, error) {
		var m hcmv3.HttpConnectionManager
		if err := decode(rest, &m); err != nil {
			return nil, err
		}
		return newManager(&m)
	})
	if err != nil {
		return nil, err
	}
	var m hcmv3.Rds
	if err := decodeOnly(source, &m, "config_source", "route_config_name"); err != nil {
		return nil, err
	}
	out := *alike
	out.rds = m.RouteConfigName
	if said == (out.routes != nil) {
		return nil, errors.New("a connection manager has no routes, or two kinds of them")
	}
	return &out, nil
}

var (
	readManagers kept[*manager]
	rdsField     = numberOf(&hcmv3.HttpConnectionManager{}, "rds")
)

func newManager(m *hcmv3.HttpConnectionManager) (*manager, error) {
	if err := only(m, "codec_type", "stat_prefix", "route_config", "http_filters",
		"normalize_path", "merge_slashes", "path_with_escaped_slashes_action", "local_reply_config", "early_header_mutation_extensions",
		// These change what the peers see or how long it takes, not who may call whom.
		"access_log", "http_protocol_options", "http2_protocol_options", "common_http_protocol_options",
		"stream_idle_timeout", "request_timeout", "request_headers_timeout", "upgrade_configs",
		"use_remote_address", "skip_xff_append", "internal_address_config", "generate_request_id",
		"preserve_external_request_id", "server_header_transformation", "server_name",
		"forward_client_cert_details", "set_current_client_cert_details", "drain_timeout", "delayed_close_timeout"); err != nil {
		return nil, err
	}
	out := &manager{}
	var err error
	if out.normalises, err = normalises(m); err != nil {
		return nil, err
	}
	if out.drops, err = dropped(m.EarlyHeaderMutationExtensions); err != nil {
		return nil, err
	}
	switch m.ForwardClientCertDetails {
	case hcmv3.HttpConnectionManager_SANITIZE, hcmv3.HttpConnectionManager_SANITIZE_SET:
		out.drops = append(out.drops, func(name string) bool { return name == ir.ClientCertHeader })
	default:
		return nil, fmt.Errorf("a client that names itself (%s) is not understood", m.ForwardClientCertDetails)
	}
	if c := m.GetRouteConfig(); c != nil {
		if out.routes, err = newRoutes(c); err != nil {
			return nil, err
		}
	}
	if out.guards, err = httpFilters(m.HttpFilters); err != nil {
		return nil, err
	}
	for _, u := range m.UpgradeConfigs {
		if err := only(u, "upgrade_type"); err != nil {
			return nil, err
		}
		if !strings.EqualFold(u.GetUpgradeType(), "websocket") {
			return nil, fmt.Errorf("an upgrade to %s that is carried is not understood", u.GetUpgradeType())
		}
	}
	out.class = managerClass(m, out.guards)
	out.replies, err = newMappers(m.LocalReplyConfig)
	return out, err
}

// normalises tells whether paths are normalised: wholly or not at all.
func normalises(m *hcmv3.HttpConnectionManager) (bool, error) {
	parts := []bool{
		m.NormalizePath.GetValue(), m.MergeSlashes,
		m.PathWithEscapedSlashesAction == hcmv3.HttpConnectionManager_REJECT_REQUEST,
	}
	whole := parts[0]
	if slices.Contains(parts, !whole) || !whole && m.PathWithEscapedSlashesAction > hcmv3.HttpConnectionManager_KEEP_UNCHANGED {
		return false, errors.New("paths that are normalised in part are not understood")
	}
	return whole, nil
}

// dropped are matchers of the headers that a connection manager removes.
func dropped(in []*corev3.TypedExtensionConfig) ([]test, error) {
	var out []test
	for _, e := range in {
		c, err := unpackAs[*earlyv3.HeaderMutation](e.GetTypedConfig())
		if err != nil {
			return nil, err
		}
		for _, change := range c.GetMutations() {
			remove := change.GetRemoveOnMatch()
			if remove == nil {
				return nil, fmt.Errorf("header mutation %T is not understood", change.GetAction())
			}
			is, err := stringMatcher(remove.GetKeyMatcher())
			if err != nil {
				return nil, err
			}
			out = append(out, is)
		}
	}
	return out, nil
}

const urlRBAC = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC"

func httpFilters(in []*hcmv3.HttpFilter) ([]guard, error) {
	var out []guard
	for i, f := range in {
		if err := only(f, "name", "typed_config"); err != nil {
			return nil, err
		}
		if f.GetTypedConfig().GetTypeUrl() == urlRBAC {
			r, err := httpRBAC(f.GetTypedConfig().GetValue())
			if err != nil {
				return nil, err
			}
			out = append(out, guard{f.Name, r})
			continue
		}
		config, err := unpack(f.GetTypedConfig())
		if err != nil {
			return nil, err
		}
		switch c := config.(type) {
		case *routerv3.Router:
			if i != len(in)-1 {
				return nil, errors.New("filters after the router are never reached")
			}
			return out, only(c, "suppress_envoy_headers")
		default:
			return nil, fmt.Errorf("HTTP filter %s is not understood", f.Name)
		}
	}
	return nil, errors.New("a connection manager has no router")
}

// handle judges the request that the bytes are.
func (m *manager) handle(p *Proxy, r *request, by []string) (*answer, []string, error) {
	if r.http == nil {
		return closed("what is not HTTP is closed"), by, nil
	}
	r.drop(m.drops)
	if m.normalises && !r.connects() && !r.normalise() {
		return m.end(ir.StatusBadRequest, "path_normalization_failed"), by, nil
	}
	table := m.routes
	if table == nil {
		var err error
		if table, err = p.routes(m.rds); err != nil {
			return nil, nil, err
		}
		if table == nil {
			return m.end(ir.StatusNotFound, "route_configuration_not_found"), by, nil
		}
	}
	to := table.find(r)
	r.hop.route(to)
	for _, g := range m.guards {
		judge := g.rbac
		if to != nil && to.guards[g.name] != nil {
			judge = to.guards[g.name]
		}
		r.hop.judged(judge)
		names, ok := judge.judge(r)
		if !ok {
			return m.end(ir.StatusForbidden, "rbac_access_denied_matched_policy[none]"), by, nil
		}
		by = append(by, names...)
	}
	switch {
	case to == nil:
		return m.end(ir.StatusNotFound, "route_not_found"), by, nil
	case to.direct != 0:
		return m.end(to.direct, "direct_response"), by, nil
	}
	return &answer{by: by, forward: to.shares, reply: m.reply}, by, nil
}

// routes is a route table; only the virtual host for every authority is understood.
type routes struct {
	routes []*route
	class  string
	names  people
	from   []proto.Message // what tells requests apart
}

type route struct {
	name    string
	matches ask
	direct  int
	shares  []share
	guards  map[string]*rbac
}

func (t *routes) find(r *request) *route {
	for _, to := range t.routes {
		if to.matches(r) {
			return to
		}
	}
	return nil
}

func newRoutes(m *routev3.RouteConfiguration) (*routes, error) {
	if err := only(m, "name", "virtual_hosts"); err != nil {
		return nil, inside(err, "routes %s", m.Name)
	}
	if len(m.VirtualHosts) != 1 || !slices.Equal(m.VirtualHosts[0].GetDomains(), []string{"*"}) {
		return nil, fmt.Errorf("routes %s: virtual hosts other than one for * are not understood", m.Name)
	}
	host := m.VirtualHosts[0]
	if err := only(host, "name", "domains", "routes"); err != nil {
		return nil, inside(err, "routes %s", m.Name)
	}
	list, err := each(host.Routes, newRoute)
	if err != nil {
		return nil, inside(err, "routes %s", m.Name)
	}
	out := &routes{routes: list}
	for i, to := range list {
		out.class += routeClass(host.Routes[i], to)
		out.from = append(out.from, host.Routes[i].Match)
		for _, name := range slices.Sorted(maps.Keys(to.guards)) {
			out.names = append(out.names, to.guards[name].names...)
			out.from = append(out.from, to.guards[name].from...)
		}
	}
	return out, nil
}
