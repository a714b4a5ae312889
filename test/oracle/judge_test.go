package oracle

import (
	"fmt"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/verdict"
	"github.com/meshc/meshc/lab"
	"github.com/meshc/meshc/lab/caller"
)

// meaning is what the IR and the compiled configuration say of a question; fault
// is their disagreement.
func (c *court) meaning(q question) (v ir.Verdict, fault string) {
	meant, does, err := verdict.Decide(c.mesh, c.compiled, q.Ask)
	if err != nil {
		return meant, "the compiled configuration cannot be judged: " + err.Error()
	}
	if d := meant.Disagreement(does); d != "" {
		return meant, "the IR and the compiled configuration disagree: " + d
	}
	return meant, ""
}

// judge compares what was seen of a question with what it means; empty: all agree.
func (c *court) judge(q question, s sight) string {
	meant, fault := c.meaning(q)
	if fault != "" {
		return fault
	}
	if fault := c.arrivals(q, s); fault != "" {
		return fault
	}
	switch q.Rule {
	case refused:
		return c.closed(q, s)
	case exact:
		if s.result.TimedOut {
			return "no answer in time"
		}
		return c.same(q, meant, s)
	}
	return ""
}

// reached tells whether a proxy passed the request or connection to a workload.
func reached(e lab.Entry) bool {
	if e.Kind == "tcp" {
		return e.Upstream != "" && (e.BytesIn > 0 || e.BytesOut > 0)
	}
	// A workload that resets what it cannot read has been reached too: Go's servers
	// do so with "/%".
	return e.Details == "via_upstream" || strings.HasPrefix(e.Details, "upstream_reset_before_response_started{protocol_error")
}

// cause is the object that the proxy names.
func cause(e lab.Entry) string {
	if e.Policy == ir.ByAudit && e.Shadow != "" && e.Shadow != "-" {
		return e.Shadow
	}
	return e.Policy
}

// closed holds a question that must not come through.
func (c *court) closed(q question, s sight) string {
	for _, e := range s.servers {
		if reached(e) && !(e.Policy == ir.ByPlaintext && e.Peer == "" && e.Kind == "tcp") {
			return fmt.Sprintf("it must be refused, and %s passed it to its workload as %s %s, by %s", e.Pod, e.Method, e.Path, cause(e))
		}
	}
	for _, a := range s.answers {
		if a.workload != "" {
			return "it must be refused, and workload " + a.workload + " answered"
		}
	}
	return ""
}

// same compares with the IR's verdict: a leaf that the request may have taken must
// say just what was seen.
func (c *court) same(q question, v ir.Verdict, s sight) string {
	seen := c.seen(q, s)
	if len(v.Leaves) == 0 {
		if fault := seen.differs(v.Outcome, v.Status, v.By); fault != "" {
			return "the IR says: " + v.Reason + "; " + fault
		}
		return ""
	}
	var faults []string
	for _, leaf := range v.Leaves {
		if leaf.Weight == 0 || seen.leaf != (ir.ServiceID{}) && leaf.Service != seen.leaf || seen.account != "" && leaf.Account != "" && leaf.Account != seen.account {
			continue
		}
		fault := seen.differs(leaf.Outcome, leaf.Status, leaf.By)
		if fault == "" {
			return ""
		}
		faults = append(faults, "the IR says: "+leaf.Reason+"; "+fault)
	}
	if len(faults) == 0 {
		return fmt.Sprintf("it went to %s run by %s, which is no leaf of the IR's", seen.leaf, seen.account.Short())
	}
	return faults[0]
}

// seen is what the proxies made of a question, in the words of the IR.
type seen struct {
	http    bool
	reached bool
	leaf    ir.ServiceID
	account ir.Identity
	by      string
	status  int
	told    string
}

func (c *court) seen(q question, s sight) seen {
	out := seen{http: q.Ask.HTTP != nil, told: s.result.Error}
	if s.client != nil {
		out.leaf = leafOf(s.client.Cluster)
		out.told = fmt.Sprintf("client's proxy: %s %d %s %s", s.client.Port, s.client.Status, s.client.Details, s.client.Flags)
	}
	if len(s.answers) > 0 {
		out.status = s.answers[0].status
		c.answered(&out, s.answers[0].workload)
	}
	if to, ok := c.mesh.Service(out.leaf); ok && to.Outside && reached(*s.client) {
		out.reached, out.by = true, ir.ByEgress
	}
	for _, e := range s.servers {
		out.account = c.accountOf(e.Pod)
		out.reached, out.by = reached(e), cause(e)
		out.told += fmt.Sprintf(", server's proxy: %s %d %s by %s for %s", e.Chain, e.Status, e.Details, e.Policy, e.Peer)
	}
	if q.Wire.Kind == caller.TCP || q.Wire.Kind == caller.ServerFirst {
		// The greeting says who answers: "POD of NAMESPACE/WORKLOAD (ACCOUNT)".
		if _, rest, ok := strings.Cut(s.result.Body, " of "); ok && s.result.Error == "" {
			workload, _, _ := strings.Cut(rest, " ")
			c.answered(&out, workload)
			out.by = "" // read from the log, whole batches at once
		}
	}
	return out
}

// answered notes that a workload answered. Workloads are named as their service is.
func (c *court) answered(out *seen, workload string) {
	if workload == "" {
		return
	}
	namespace, name, _ := strings.Cut(workload, "/")
	out.reached = true
	if service, ok := c.mesh.Service(ir.ServiceID{Namespace: namespace, Name: name}); ok && service.Outside {
		out.by = ir.ByEgress
	} else if ok && len(service.Accounts) == 1 {
		out.account = service.Accounts[0]
	}
}

func (c *court) accountOf(pod string) ir.Identity {
	for _, p := range c.lab.Topology().Pods {
		if p.ID() == pod {
			return p.Identity
		}
	}
	return ""
}

// differs says in what a leaf's verdict is not what was seen.
func (s seen) differs(outcome ir.Outcome, status int, by []string) string {
	what := fmt.Sprintf("Envoy answered %d", s.status)
	if s.reached {
		what = "it reached a workload of " + s.account.Short() + " by " + s.by
	}
	switch {
	case (outcome == ir.Allow) != s.reached:
	case s.reached && s.by == "" && s.http:
		what += " without a name"
	case s.reached && s.by != "" && !slices.Contains(by, s.by):
	case !s.reached && s.http && status != s.status:
	default:
		return ""
	}
	return fmt.Sprintf("that is %s (status %d) by %v; %s (%s)", outcome, status, by, what, s.told)
}

// arrivals holds whatever reached a workload against the IR: what the workload was
// given, not what was sent, is what must have been allowed.
func (c *court) arrivals(q question, s sight) string {
	for _, a := range s.answers {
		if a.workload != "" && len(s.servers) == 0 && !c.outside(a.workload) {
			return "workload " + a.workload + " answered, and no server's proxy has seen the request"
		}
		if a.seen == nil || c.outside(a.workload) {
			continue
		}
		if fault := c.arrived(q, a); fault != "" {
			return fault
		}
	}
	return ""
}

func (c *court) outside(workload string) bool {
	namespace, name, _ := strings.Cut(workload, "/")
	service, ok := c.mesh.Service(ir.ServiceID{Namespace: namespace, Name: name})
	return ok && service.Outside
}

func (c *court) arrived(q question, a answer) string {
	namespace, name, _ := strings.Cut(a.workload, "/")
	r := ir.Request{From: q.Ask.From, To: ir.PortID{Service: ir.ServiceID{Namespace: namespace, Name: name}, Port: q.Ask.To.Port}, Direct: q.Ask.From != ""}
	r.HTTP = &ir.HTTPRequest{Method: a.seen.Method, Path: a.seen.Path, Headers: []ir.Header{{Name: "host", Value: a.seen.Host}}}
	for name, values := range a.seen.Headers {
		for _, v := range values {
			r.HTTP.Headers = append(r.HTTP.Headers, ir.Header{Name: name, Value: v})
		}
	}
	if again, ok := ir.NormalisePath(a.seen.Path); !ok || again != a.seen.Path {
		return "" // judged as it stood before it was normalised once more
	}
	for _, from := range []ir.Identity{q.Ask.From, q.Also} {
		if r.From = from; from == "" && q.Ask.From != "" {
			continue
		}
		if ir.Decide(c.mesh, r).Outcome == ir.Allow {
			return ""
		}
	}
	r.From = q.Ask.From
	return fmt.Sprintf("workload %s was given %s %s of host %s with %v, which the IR does not allow: %s", a.workload, a.seen.Method, a.seen.Path, a.seen.Host, r.HTTP.Headers, ir.Decide(c.mesh, r).Reason)
}

// connections holds every TCP connection that a proxy carried against the IR.
func (c *court) connections(entries []lab.Entry) string {
	for _, e := range entries {
		if e.Side == "inbound" && e.Kind == "tcp" && reached(e) && !c.grants(e) {
			return fmt.Sprintf("%s carried a connection of %q to %s by %q, which the IR does not allow", e.Pod, e.Peer, e.Port, cause(e))
		}
	}
	return ""
}

// grants tells whether the IR lets a connection in by the name that the proxy gives.
func (c *court) grants(e lab.Entry) bool {
	to, _, err := verdict.Destination(e.Port)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(strings.Split(e.Peer, ","), func(peer string) bool {
		v := ir.Decide(c.mesh, ir.Request{From: ir.Identity(strings.Trim(peer, "- ")), To: to, Direct: true})
		return slices.Contains(v.By, cause(e))
	})
}

// leafOf reads the service of a cluster's name.
func leafOf(cluster string) ir.ServiceID {
	name, _, _ := strings.Cut(strings.TrimPrefix(cluster, "direct/"), ":")
	namespace, service, _ := strings.Cut(name, "/")
	if service == "" {
		return ir.ServiceID{}
	}
	return ir.ServiceID{Namespace: namespace, Name: service}
}
