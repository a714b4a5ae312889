package verify

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/meshc/meshc/compiler/ir"
)

func newRoute(m *routev3.Route) (*route, error) {
	if err := only(m, "name", "match", "route", "direct_response", "typed_per_filter_config"); err != nil {
		return nil, inside(err, "route %s", m.Name)
	}
	out := &route{name: m.Name, guards: map[string]*rbac{}}
	var err error
	if out.matches, err = routeMatch(m.Match); err != nil {
		return nil, inside(err, "route %s", m.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(m.TypedPerFilterConfig)) {
		out.guards[name], err = perRoute(m.TypedPerFilterConfig[name])
		if err != nil {
			return nil, inside(err, "route %s, filter %s", m.Name, name)
		}
	}
	return out, inside(out.act(m), "route %s", m.Name)
}

func (to *route) act(m *routev3.Route) error {
	switch a := m.Action.(type) {
	case *routev3.Route_DirectResponse:
		to.direct = int(a.DirectResponse.GetStatus())
		if to.direct < 200 {
			return fmt.Errorf("a direct response of status %d is not understood", to.direct)
		}
		return only(a.DirectResponse, "status", "body")
	case *routev3.Route_Route:
		var err error
		to.shares, err = routeShares(a.Route)
		return err
	}
	return fmt.Errorf("action %T is not understood", m.Action)
}

func routeShares(m *routev3.RouteAction) ([]share, error) {
	if err := only(m, "cluster", "weighted_clusters", "timeout", "idle_timeout", "max_stream_duration"); err != nil {
		return nil, err
	}
	switch c := m.ClusterSpecifier.(type) {
	case *routev3.RouteAction_Cluster:
		return []share{{c.Cluster, 1}}, nil
	case *routev3.RouteAction_WeightedClusters:
		if err := only(c.WeightedClusters, "clusters"); err != nil {
			return nil, err
		}
		all, err := each(c.WeightedClusters.Clusters, func(w *routev3.WeightedCluster_ClusterWeight) (share, error) {
			return share{w.Name, w.Weight.GetValue()}, only(w, "name", "weight")
		})
		weighty := slices.DeleteFunc(all, func(s share) bool { return s.weight == 0 })
		if err == nil && len(weighty) == 0 {
			err = errors.New("no cluster has a weight, which Envoy refuses")
		}
		return weighty, err
	}
	return nil, fmt.Errorf("cluster specifier %T is not understood", m.ClusterSpecifier)
}

func routeMatch(m *routev3.RouteMatch) (ask, error) {
	if m == nil {
		return nil, errors.New("a route matches nothing")
	}
	if err := only(m, "prefix", "path", "safe_regex", "connect_matcher", "headers"); err != nil {
		return nil, err
	}
	var is test
	var err error
	connect := false
	switch p := m.PathSpecifier.(type) {
	case *routev3.RouteMatch_ConnectMatcher_:
		connect = true
	case *routev3.RouteMatch_Prefix:
		is = func(s string) bool { return strings.HasPrefix(s, p.Prefix) }
	case *routev3.RouteMatch_Path:
		is = func(s string) bool { return s == p.Path }
	case *routev3.RouteMatch_SafeRegex:
		is, err = fullRegex(p.SafeRegex)
	default:
		err = fmt.Errorf("path specifier %T is not understood", m.PathSpecifier)
	}
	if err != nil {
		return nil, err
	}
	headers, err := each(m.Headers, headerMatcher)
	return func(r *request) bool {
		return r.connects() == connect && (connect || is(ir.WithoutQuery(r.http.Path))) && all(headers)(r)
	}, err
}
