package ir

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

func notHTTP(id PortID) string {
	return fmt.Sprintf("%s is an HTTP port, what is not HTTP is closed", id)
}

func badPath(path string) string {
	lower := strings.ToLower(WithoutQuery(path))
	if strings.Contains(lower, "%2f") || strings.Contains(lower, "%5c") {
		return fmt.Sprintf("path %s hides a slash behind an escape", path)
	}
	return fmt.Sprintf("path %s is not one that a proxy accepts", path)
}

// ungranted says that the client's proxy knows no such address.
func (d *decision) ungranted(svc *Service, port *Port, branches []branch) string {
	if svc.Outside {
		return fmt.Sprintf("%s is outside the mesh, and egress is denied to %s", svc.ID, d.r.From.Short())
	}
	return fmt.Sprintf("no grant lets %s call %s", d.r.From.Short(), d.r.To)
}

// nearMisses are the grants that come close on any leaf.
func (d *decision) nearMisses(svc *Service, port *Port, branches []branch) []string {
	if !d.near {
		return nil
	}
	var out []string
	for _, b := range branches {
		for _, sh := range b.shares {
			at, p := d.leaf(sh)
			if p == nil || at.Outside {
				continue
			}
			for _, account := range at.Accounts {
				out = append(out, d.nearLeaf(Leaf{Service: at.ID, Account: account}, p)...)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// lack says which grant is missing: the nearest miss if there is one.
func (d *decision) lack(leaf Leaf, port *Port) string {
	id := PortID{Service: leaf.Service, Port: port.Number}
	lack := fmt.Sprintf("no grant lets %s send %s to %s", d.r.From.Short(), d.r, id)
	if near := d.nearLeaf(leaf, port); len(near) > 0 && d.hasOwnGrant(leaf, port) {
		return lack + ": " + near[0]
	}
	return lack
}

func (d *decision) hasOwnGrant(leaf Leaf, port *Port) bool {
	return slices.ContainsFunc(d.m.Grants, func(g Grant) bool {
		return g.opens(leaf, port.Number) && slices.Contains(g.Sources, d.r.From)
	})
}

// nearLeaf are sentences on the grants that almost let the request in, the
// nearest first: other requests of this client, other ports, other clients.
func (d *decision) nearLeaf(leaf Leaf, port *Port) []string {
	if !d.near {
		return nil
	}
	var requests, ports, clients []string
	for i := range d.m.Grants {
		g := &d.m.Grants[i]
		if g.Destination != leaf.Account {
			continue
		}
		own, opens := slices.Contains(g.Sources, d.r.From), g.opens(leaf, port.Number)
		switch {
		case own && opens:
			for _, m := range d.nearestFirst(g.HTTP) {
				requests = append(requests, fmt.Sprintf("%s allows %s, but %s", g.Name, m.String(), d.matches(m)))
			}
		case own:
			ports = append(ports, fmt.Sprintf("%s opens %s to %s, not port %d", g.Name, portList(g.Ports), d.r.caller(), port.Number))
		case opens:
			clients = append(clients, fmt.Sprintf("%s lets %s in, not %s", g.Name, sourceList(g.Sources), d.r.caller()))
		}
	}
	return slices.Concat(requests, ports, clients)
}

// nearestFirst are matches in order of how little they lack.
func (d *decision) nearestFirst(matches []Match) []Match {
	return slices.SortedStableFunc(slices.Values(matches), func(a, b Match) int { return d.miss(a).nearer(d.miss(b)) })
}

// String is the class of requests as a sentence names it.
func (m Match) String() string {
	method, path := "any method", "any path"
	if len(m.Methods) > 0 && !slices.Contains(m.Methods, "*") {
		method = strings.Join(m.Methods, "|")
	}
	if m.Path != "" {
		path = written(m.Path)
	}
	var headers []string
	for _, h := range m.Headers {
		headers = append(headers, h.Name+": "+h.Regex)
	}
	if len(headers) == 0 {
		return method + " " + path
	}
	return method + " " + path + " with " + strings.Join(headers, " and ")
}

// written is a path expression as its author wrote it, without what SEMANTICS
// row 20 adds.
func written(path string) string {
	inner := strings.TrimSuffix(strings.TrimPrefix(path, "^"), "$")
	if rest, ok := strings.CutPrefix(inner, "(?:"); ok {
		if rest, ok := strings.CutSuffix(rest, ").*"); ok {
			return rest
		}
	}
	return path
}

func portList(ports []PortID) string {
	names := make([]string, len(ports))
	for i, p := range ports {
		names[i] = p.String()
	}
	return few(names)
}

func sourceList(ids []Identity) string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = id.Short()
	}
	return few(names)
}

func few(names []string) string {
	if len(names) > 3 {
		names = append(names[:3:3], fmt.Sprintf("%d more", len(names)-3))
	}
	return strings.Join(names, ", ")
}

func unknown(format string, args ...any) Verdict {
	return Verdict{Outcome: Unknown, Reason: fmt.Sprintf(format, args...)}
}

// nearService names what was perhaps meant.
func (d *decision) nearService() string {
	var near []string
	for i := range d.m.Services {
		id := d.m.Services[i].ID
		if id.Name == d.r.To.Service.Name || id.Namespace == d.r.To.Service.Namespace {
			near = append(near, id.String())
		}
	}
	slices.SortStableFunc(near, func(a, b string) int {
		same := func(s string) int { return -boolInt(strings.HasSuffix(s, "/"+d.r.To.Service.Name)) }
		return cmp.Compare(same(a), same(b))
	})
	if len(near) == 0 {
		return ""
	}
	if len(near) > 3 {
		near = near[:3]
	}
	return "; near are " + strings.Join(near, ", ")
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func portsOf(svc *Service) string {
	if len(svc.Ports) == 0 {
		return ""
	}
	var ports []string
	for _, p := range svc.Ports {
		ports = append(ports, fmt.Sprint(p.Number))
	}
	return "; it has " + strings.Join(ports, ", ")
}
