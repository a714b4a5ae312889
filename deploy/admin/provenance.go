package admin

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// named is an object in a name that the compiler gave: a policy, a route, a class of
// requests. Names of Envoy's lead back to their sources (ARCHITECTURE.md).
var named = regexp.MustCompile(`^(TrafficTarget|TrafficSplit|HTTPRouteGroup|BreakGlass|Service)/([^/#]+)/([^/#:]+)([#:][^/]*)?$`)

// settings are policies that come of the mesh's own settings.
var settings = map[string]string{"Mode/permissive": "Mesh", "Mode/audit": "Mesh", "Plaintext/allow": "Mesh"}

// ported is a resource of a service port: NS/SVC:PORT behind what it is for.
var ported = regexp.MustCompile(`^(?:[a-z]+/)?([^/:@]+)/([^/:@]+):[0-9]+`)

// provenance tells which objects resources come from.
type provenance struct {
	from    func(object string) string // where it is written; nil: nobody knows
	filters map[string]object          // those that come by themselves (ECDS), by name
}

// filtersOf are the filters of a dump that come by themselves.
func filtersOf(dump object) map[string]object {
	out := map[string]object{}
	for _, c := range list(dump, "configs") {
		for _, e := range list(c, "ecds_filters") {
			f := record(e, "ecds_filter")
			out[text(f, "name")] = f
		}
	}
	return out
}

// of are the objects that a resource comes from: by its own name, and by all names in it.
func (p *provenance) of(name string, resource any) string {
	found := map[string]bool{}
	if m := ported.FindStringSubmatch(name); m != nil {
		found["Service/"+m[1]+"/"+m[2]] = true
	}
	p.collect(resource, found)
	out := slices.Sorted(maps.Keys(found))
	if p.from != nil {
		for i, o := range out {
			if at := p.from(o); at != "" && at != o {
				out[i] = fmt.Sprintf("%s (%s)", o, at)
			}
		}
	}
	return strings.Join(out, ", ")
}

// collect finds the names in a value, and among the keys of maps: policies are such keys.
// A filter that comes by itself counts where it is named.
func (p *provenance) collect(v any, found map[string]bool) {
	note := func(s string) {
		if m := named.FindStringSubmatch(s); m != nil {
			found[m[1]+"/"+m[2]+"/"+m[3]] = true
		} else if of := settings[s]; of != "" {
			found[of] = true
		}
	}
	switch v := v.(type) {
	case string:
		note(v)
	case []any:
		for _, e := range v {
			p.collect(e, found)
		}
	case object:
		if name, _ := v["name"].(string); v["config_discovery"] != nil && p.filters[name] != nil {
			p.collect(p.filters[name], found)
		}
		for key, e := range v {
			note(key)
			p.collect(e, found)
		}
	}
}

// list, record and text read a value at a path, or nothing.
func list(o object, path ...string) []object {
	if len(path) > 1 {
		o, path = record(o, path[:len(path)-1]...), path[len(path)-1:]
	}
	all, _ := o[path[0]].([]any)
	var out []object
	for _, e := range all {
		if r, ok := e.(object); ok {
			out = append(out, r)
		}
	}
	return out
}

func record(o object, path ...string) object {
	for _, name := range path {
		o, _ = o[name].(object)
	}
	return o
}

func text(o object, path ...string) string {
	s, _ := record(o, path[:len(path)-1]...)[path[len(path)-1]].(string)
	return s
}

// address is HOST:PORT, or the path of a pipe.
func address(o object) string {
	s := record(o, "socket_address")
	if s == nil {
		return text(o, "pipe", "path")
	}
	port, _ := s["port_value"].(float64)
	host := text(s, "address")
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return fmt.Sprintf("%s:%.0f", host, port)
}
