package envoy

import (
	"slices"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/meshc/meshc/compiler/ir"
)

// share is a part of the calls to a service port.
type share struct {
	cluster string
	port    ir.PortID
	weight  uint32
	missing bool
	own     bool // the root's own endpoints
}

// branch is a class of requests to a service port and where its shares go.
type branch struct {
	name    string
	matches []ir.Match // empty: every request
	shares  []share
}

// branches are the splits of a service port in order of name, then its own
// endpoints for what no split takes. Raw bytes match no request, so a split
// with matches leaves TCP alone; so does a split none of whose backends with a
// weight has the port.
func (l *lowering) branches(svc *ir.Service, port *ir.Port) []branch {
	id := ir.PortID{Service: svc.ID, Port: port.Number}
	own := share{cluster: clusterName(id), port: id, weight: 1, own: true}
	switch {
	case svc.Headless && svc.Outside && len(l.splits[svc.ID]) > 0:
		// A cluster that can be withheld from who may not leave the mesh.
		own.own = false
	case svc.Headless:
		own.cluster = directName(id)
	}
	var out []branch
	for _, sp := range l.splits[svc.ID] {
		if len(sp.Matches) > 0 && !port.Protocol.IsHTTP() {
			continue
		}
		shares := sharesOf(sp, own)
		if len(shares) == 0 {
			continue
		}
		out = append(out, branch{name: sp.Name, matches: sp.Matches, shares: shares})
		if len(sp.Matches) == 0 {
			return out
		}
	}
	return append(out, branch{name: routeName(id), shares: []share{own}})
}

// sharesOf are the backends of a split that serve the root's port; none if
// their weights are all 0.
func sharesOf(sp *ir.Split, own share) []share {
	var out []share
	weights := uint32(0)
	for _, b := range sp.Backends {
		if !serves(b, own.port.Port) {
			continue
		}
		sh := own
		if b.Service != sp.Root {
			leaf := ir.PortID{Service: b.Service, Port: own.port.Port}
			sh = share{cluster: clusterName(leaf), port: leaf, missing: b.Missing}
		}
		sh.weight = b.Weight
		weights |= b.Weight
		out = append(out, sh)
	}
	if weights == 0 {
		return nil
	}
	return out
}

// serves tells whether a backend serves a port of the root. One that does not
// exist cannot say, and keeps its share of every port.
func serves(b ir.Backend, port uint16) bool {
	return slices.Contains(b.Ports, port) || b.Missing && len(b.Ports) == 0
}

// outboundRoutes is the RDS resource of an HTTP service port.
func outboundRoutes(name string, branches []branch) *routev3.RouteConfiguration {
	var routes []*routev3.Route
	for _, b := range branches {
		matches := b.matches
		if len(matches) == 0 {
			matches = []ir.Match{{}}
		}
		action := &routev3.Route_Route{Route: toShares(b.shares)}
		for _, m := range matches {
			if !m.Holds() {
				continue
			}
			routes = append(routes, &routev3.Route{Name: b.name, Match: routeMatch(m), Action: action})
		}
	}
	return everyHost(name, routes...)
}

func toShares(shares []share) *routev3.RouteAction {
	action := &routev3.RouteAction{Timeout: durationpb.New(0)}
	if len(shares) == 1 {
		action.ClusterSpecifier = &routev3.RouteAction_Cluster{Cluster: shares[0].cluster}
		return action
	}
	weighted := &routev3.WeightedCluster{}
	for _, sh := range shares {
		weighted.Clusters = append(weighted.Clusters, &routev3.WeightedCluster_ClusterWeight{Name: sh.cluster, Weight: wrapperspb.UInt32(sh.weight)})
	}
	action.ClusterSpecifier = &routev3.RouteAction_WeightedClusters{WeightedClusters: weighted}
	return action
}

// inboundRoutes hands every request to the application once RBAC has let it
// through. One route for all grants: a request is allowed when any of them
// covers it, whichever path it was written under.
func (l *lowering) inboundRoutes(name string, port ir.PortID, j judgement) *routev3.RouteConfiguration {
	action := &routev3.RouteAction{
		ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: clusterInbound},
		Timeout:          durationpb.New(0),
	}
	if d := l.mesh.Settings.MaxStreamDuration; d > 0 {
		action.MaxStreamDuration = &routev3.RouteAction_MaxStreamDuration{MaxStreamDuration: durationpb.New(d)}
	}
	return everyHost(name, &routev3.Route{
		Name:   routeName(port),
		Match:  everyPath(),
		Action: &routev3.Route_Route{Route: action},
		TypedPerFilterConfig: map[string]*anypb.Any{
			filterRBAC: l.pack(perRoute(j)),
		},
	})
}

// refusal is a route table that answers 403.
func refusal(name string) *routev3.RouteConfiguration {
	return everyHost(name, &routev3.Route{Name: name, Match: everyPath(), Action: forbidden})
}

func everyPath() *routev3.RouteMatch {
	return &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}}
}

// everyHost is a table that answers every request: CONNECT has no path that a
// prefix could match, and the mesh does not carry it.
func everyHost(name string, routes ...*routev3.Route) *routev3.RouteConfiguration {
	return &routev3.RouteConfiguration{
		Name: name,
		VirtualHosts: []*routev3.VirtualHost{{Name: "*", Domains: []string{"*"}, Routes: append(routes, &routev3.Route{
			Name:   "CONNECT",
			Match:  &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_ConnectMatcher_{ConnectMatcher: &routev3.RouteMatch_ConnectMatcher{}}},
			Action: forbidden,
		})}},
	}
}

var forbidden = &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{Status: 403}}

// clustersOf are the EDS clusters that the branches name. A headless service's
// own endpoints are reached by its direct cluster instead.
func clustersOf(branches []branch, headless bool) []ir.PortID {
	var out []ir.PortID
	for _, b := range branches {
		for _, sh := range b.shares {
			if !sh.own || !headless {
				out = append(out, sh.port)
			}
		}
	}
	slices.SortFunc(out, ir.PortID.Compare)
	return slices.Compact(out)
}

func namesOwn(branches []branch) bool {
	return slices.ContainsFunc(branches, func(b branch) bool {
		return slices.ContainsFunc(b.shares, func(s share) bool { return s.own })
	})
}

// leavesMesh tells whether a client that may not leave the mesh can be given a
// port some of whose calls go outside: to a leaf, or to the root's own endpoints
// beside leaves. An outside service by itself is given to nobody else.
func (l *lowering) leavesMesh(branches []branch) bool {
	alone := len(branches) == 1 && len(branches[0].shares) == 1
	return slices.ContainsFunc(branches, func(b branch) bool {
		return slices.ContainsFunc(b.shares, func(s share) bool {
			svc, ok := l.mesh.Service(s.port.Service)
			return ok && svc.Outside && !(s.own && alone)
		})
	})
}
