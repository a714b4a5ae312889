package admin

import (
	"fmt"
	"slices"
	"strings"
)

// Kinds are what can be shown, in order.
var Kinds = []string{"listeners", "routes", "clusters", "endpoints", "secrets"}

// Table is resources of a kind, for people.
type Table struct {
	Kind    string
	Columns []string
	Rows    [][]string
}

// Tables are the resources of a dump, of one kind or, where it is empty, of all. from
// tells where an object is written; nil: nobody knows.
func Tables(dump map[string]any, hosts []Host, kind string, from func(object string) string) []Table {
	p := &provenance{from: from, filters: filtersOf(dump)}
	makers := map[string]func() Table{
		"listeners": func() Table { return listeners(dump, p) },
		"routes":    func() Table { return routes(dump, p) },
		"clusters":  func() Table { return clusters(dump, hosts, p) },
		"endpoints": func() Table { return endpoints(hosts) },
		"secrets":   func() Table { return secretsOf(dump) },
	}
	var out []Table
	for _, k := range Kinds {
		if kind == "" || k == kind {
			t := makers[k]()
			t.Kind = k
			slices.SortStableFunc(t.Rows, func(a, b []string) int { return strings.Compare(a[0], b[0]) })
			out = append(out, t)
		}
	}
	return out
}

// Section is the part of a dump that a kind is in, as Envoy gives it; nil if there is none.
func Section(dump map[string]any, kind string) map[string]any {
	for _, c := range list(dump, "configs") {
		if at, _ := c["@type"].(string); strings.HasSuffix(at, sections[kind]) {
			return c
		}
	}
	return nil
}

var sections = map[string]string{
	"listeners": ".ListenersConfigDump", "routes": ".RoutesConfigDump", "clusters": ".ClustersConfigDump",
	"endpoints": ".EndpointsConfigDump", "secrets": ".SecretsConfigDump",
}

// stated is a resource with what became of it.
type stated struct {
	is       string // static, active, warming, draining or error
	resource object
	wrong    string
}

func listeners(dump object, p *provenance) Table {
	t := Table{Columns: []string{"NAME", "ADDRESS", "STATE", "LEADS TO", "FROM"}}
	s := Section(dump, "listeners")
	var all []stated
	for _, e := range list(s, "static_listeners") {
		all = append(all, stated{"static", record(e, "listener"), ""})
	}
	for _, e := range list(s, "dynamic_listeners") {
		for _, state := range []string{"active", "warming", "draining"} {
			if l := record(e, state+"_state", "listener"); l != nil {
				all = append(all, stated{state, l, text(e, "error_state", "details")})
			}
		}
		if record(e, "error_state") != nil && record(e, "active_state") == nil {
			all = append(all, stated{"error", object{"name": e["name"]}, text(e, "error_state", "details")})
		}
	}
	for _, l := range all {
		name := text(l.resource, "name")
		state := l.is
		if l.wrong != "" {
			state += ", refused: " + l.wrong
		}
		chains := list(l.resource, "filter_chains")
		to, from := "", ""
		if len(chains) == 1 {
			to = leadsTo(chains[0])
		}
		if len(chains) < 2 {
			from = p.of(name, l.resource)
		}
		t.Rows = append(t.Rows, []string{name, address(record(l.resource, "address")), state, to, from})
		if len(chains) < 2 {
			continue
		}
		for _, c := range chains {
			port := ""
			if n, ok := record(c, "filter_chain_match")["destination_port"].(float64); ok {
				port = fmt.Sprintf("port %.0f", n)
			}
			t.Rows = append(t.Rows, []string{name + " > " + text(c, "name"), port, "", leadsTo(c), p.of(text(c, "name"), c)})
		}
	}
	return t
}

// leadsTo is what a chain's connections come to: routes by name, a cluster, or a filter
// that comes by itself.
func leadsTo(chain object) string {
	var out []string
	for _, f := range list(chain, "filters") {
		c := record(f, "typed_config")
		switch {
		case text(c, "rds", "route_config_name") != "":
			out = append(out, "routes "+text(c, "rds", "route_config_name"))
		case record(c, "route_config") != nil:
			out = append(out, "routes of its own")
		case text(c, "cluster") != "":
			out = append(out, "cluster "+text(c, "cluster"))
		case record(f, "config_discovery") != nil:
			out = append(out, "filter "+text(f, "name"))
		}
	}
	return strings.Join(out, ", ")
}

func routes(dump object, p *provenance) Table {
	t := Table{Columns: []string{"NAME", "ROUTE", "MATCH", "LEADS TO", "FROM"}}
	s := Section(dump, "routes")
	for _, part := range []string{"static_route_configs", "dynamic_route_configs"} {
		for _, e := range list(s, part) {
			config := record(e, "route_config")
			name := text(config, "name")
			for _, v := range list(config, "virtual_hosts") {
				for _, r := range list(v, "routes") {
					t.Rows = append(t.Rows, []string{name, text(r, "name"), matchOf(record(r, "match")), target(r), p.of(name, r)})
				}
			}
		}
	}
	return t
}

// matchOf is what requests a route takes.
func matchOf(m object) string {
	out := ""
	switch {
	case text(m, "path") != "":
		out = "path " + text(m, "path")
	case text(m, "prefix") != "":
		out = "prefix " + text(m, "prefix")
	case text(m, "safe_regex", "regex") != "":
		out = "path ~ " + text(m, "safe_regex", "regex")
	case m["connect_matcher"] != nil:
		out = "CONNECT"
	}
	for _, h := range list(m, "headers") {
		out += ", header " + text(h, "name")
	}
	return strings.TrimPrefix(out, ", ")
}

// target is where a route sends requests.
func target(r object) string {
	if to := text(r, "route", "cluster"); to != "" {
		return "cluster " + to
	}
	var out []string
	for _, c := range list(record(r, "route", "weighted_clusters"), "clusters") {
		weight, _ := c["weight"].(float64) // left out where it is 0
		out = append(out, fmt.Sprintf("%.0f of cluster %s", weight, text(c, "name")))
	}
	if status, ok := record(r, "direct_response")["status"].(float64); ok {
		out = append(out, fmt.Sprintf("answer %.0f", status))
	}
	return strings.Join(out, ", ")
}

func clusters(dump object, hosts []Host, p *provenance) Table {
	t := Table{Columns: []string{"NAME", "TYPE", "STATE", "HEALTHY", "FROM"}}
	s := Section(dump, "clusters")
	for _, part := range [][2]string{{"static_clusters", "static"}, {"dynamic_active_clusters", "active"}, {"dynamic_warming_clusters", "warming"}} {
		for _, e := range list(s, part[0]) {
			c := record(e, "cluster")
			name := text(c, "name")
			all, healthy := 0, 0
			for _, h := range hosts {
				if h.Cluster == name {
					all++
					if h.Health == "healthy" {
						healthy++
					}
				}
			}
			kind := text(c, "type")
			if kind == "" {
				kind = "STATIC" // the default, which is left out
			}
			t.Rows = append(t.Rows, []string{name, kind, part[1], fmt.Sprintf("%d of %d", healthy, all), p.of(name, c)})
		}
	}
	return t
}

func endpoints(hosts []Host) Table {
	t := Table{Columns: []string{"CLUSTER", "ADDRESS", "HEALTH", "WEIGHT", "PRIORITY", "ZONE", "REQUESTS"}}
	for _, h := range hosts {
		t.Rows = append(t.Rows, []string{h.Cluster, h.Address, h.Health, fmt.Sprint(h.Weight), fmt.Sprint(h.Priority), h.Zone, h.Requests})
	}
	return t
}
