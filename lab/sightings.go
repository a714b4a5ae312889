package lab

import (
	"strconv"
	"strings"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/lab/caller"
)

// requests leads from each HTTP request to what the proxies say of it, by its id.
func requests(results []caller.Result, entries []Entry, from *Pod, servers []*Pod) []Sighting {
	client, server := map[string]Entry{}, map[string]Entry{}
	for _, e := range entries {
		switch {
		case e.Side == "outbound" && e.Pod == from.ID():
			client[e.RequestID] = e
		case e.Side == "inbound" && isOf(e.Pod, servers):
			server[e.RequestID] = e
		}
	}
	out := make([]Sighting, len(results))
	for i, r := range results {
		s := Sighting{Status: r.Status}
		if e, ok := client[r.ID]; ok {
			s.Leaf = leafOf(e.Cluster)
		}
		e, ok := server[r.ID]
		switch {
		case ok:
			s.Pod, s.Policy = e.Pod, e.cause()
			s.Reached = e.Details == "via_upstream"
		case len(servers) == 0:
			s.Pod = header(r, "X-Echo-Workload")
			s.Reached = s.Pod != ""
		case header(r, "X-Echo-Workload") != "":
			s.Broken = bypassed
		}
		if why := broken(r); why != "" {
			s.Broken = why
		}
		out[i] = s
	}
	return out
}

// bypassed is a defect of the data plane, not of a policy.
const bypassed = "the workload answered, but no proxy of a server has seen the call"

// broken says why an answer is no verdict: the mesh did not decide, it failed.
func broken(r caller.Result) string {
	switch {
	case r.TimedOut:
		return "no answer in time"
	case r.Status == 503 || r.Status == 504:
		return "status " + strconv.Itoa(r.Status) + " " + strings.TrimSpace(r.Body)
	}
	return ""
}

// connections pairs TCP connections with the proxies' logs. Ports do not tell them
// apart: the kernel uses a client's port again, and gives a redirected connection
// another one where two would clash. Which is which does not matter, all are of
// one client to one service: it is enough to know those that were answered from
// those that were refused.
func connections(results []caller.Result, entries []Entry, from *Pod, servers []*Pod) []Sighting {
	var spoke, silent, passed []Entry
	for _, e := range entries {
		switch {
		case e.Kind != "tcp": // the call that flushes a log
		case e.Side == "outbound" && e.Pod == from.ID() && e.BytesOut > 0:
			spoke = append(spoke, e)
		case e.Side == "outbound" && e.Pod == from.ID():
			silent = append(silent, e)
		case e.Side == "inbound" && isOf(e.Pod, servers) && carried(e):
			passed = append(passed, e)
		}
	}
	out := make([]Sighting, len(results))
	for i, r := range results {
		var s Sighting
		logged := &silent
		if answeredTCP(r) {
			logged = &spoke
		}
		if e, ok := take(logged); ok {
			s.Leaf = leafOf(e.Cluster)
		}
		switch {
		case !answeredTCP(r):
		case len(servers) == 0:
			s.Reached = true
		default:
			if e, ok := take(&passed); ok {
				s.Reached, s.Pod, s.Policy = true, e.Pod, e.cause()
			} else {
				s.Broken = bypassed
			}
		}
		if r.TimedOut {
			s.Broken = "no answer in time"
		}
		out[i] = s
	}
	return out
}

// take removes the first entry.
func take(from *[]Entry) (Entry, bool) {
	if len(*from) == 0 {
		return Entry{}, false
	}
	e := (*from)[0]
	*from = (*from)[1:]
	return e, true
}

// answeredTCP tells whether a workload spoke. A proxy says 400 to bytes that it
// has nowhere to send.
func answeredTCP(r caller.Result) bool {
	return r.Error == "" && !strings.HasPrefix(r.Body, "HTTP/1.1 400")
}

// leafOf reads the service of a cluster's name, NS/SVC:PORT or direct/NS/SVC:PORT.
func leafOf(cluster string) ir.ServiceID {
	name, _, _ := strings.Cut(strings.TrimPrefix(cluster, "direct/"), ":")
	namespace, service, ok := strings.Cut(name, "/")
	if !ok {
		return ir.ServiceID{}
	}
	return ir.ServiceID{Namespace: namespace, Name: service}
}

func header(r caller.Result, name string) string {
	if v := r.Headers[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// cause is the object that lets a request through. In audit mode everything gets
// through; the grant that would have let it through in strict mode is the cause,
// if there is one.
func (e Entry) cause() string {
	if e.Policy == ir.ByAudit && e.Shadow != "" {
		return e.Shadow
	}
	return e.Policy
}
