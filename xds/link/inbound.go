package link

import (
	"fmt"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
)

// inbound is a role's inbound part for a workload: its chains on the target
// ports that the catalog names. Workloads whose ports agree share it. One that is
// withheld stays what the workload has.
func (w *World) inbound(role *ir.RolePlan, workload string) *part {
	ports, findings := w.targetPorts(role, workload)
	name := ir.RoleName(role.Identity, role.Services)
	p := w.inboundOn(role, name, ports, findings)
	where := name + "\x00" + workload
	err := p.wrong
	if want := w.placed(role, workload); err == nil && !slices.Equal(ports, want) {
		err = fmt.Errorf("its target ports are %v, and the catalog leads to %v", ports, want)
	}
	if err == nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(w.good) >= mostGood {
			clear(w.good)
		}
		w.good[where] = p
		return p
	}
	f := w.withhold("inbound of "+name, err)
	w.mu.Lock()
	last := w.good[where]
	w.mu.Unlock()
	if last == nil {
		last = w.servedInbound(role, workload)
	}
	out := &part{findings: append(slices.Clone(findings), f)}
	if last != nil {
		out.sets = last.sets
	}
	return out
}

// mostGood bounds what is kept of workloads, most of which are gone by then.
const mostGood = 1 << 16

// inboundOn is a role's inbound part on target ports.
func (w *World) inboundOn(role *ir.RolePlan, name string, ports []uint16, findings diag.List) *part {
	key := fmt.Sprint(name, ports, len(findings))
	w.mu.Lock()
	defer w.mu.Unlock()
	if p, ok := w.roles[key]; ok && sameFindings(p.findings, findings) {
		return p
	}
	p := w.composeInbound(role, ports)
	p.findings = findings
	w.roles[key] = p
	return p
}

func sameFindings(a, b diag.List) bool {
	return len(a) >= len(b) && slices.EqualFunc(a[:len(b)], b, func(x, y diag.Finding) bool { return x.Message == y.Message })
}

// composeInbound appends each open port's chains to the role's listener.
func (w *World) composeInbound(role *ir.RolePlan, ports []uint16) *part {
	p := &part{}
	base := w.resource(role.Listener)
	body := slices.Clone(base.Any.GetValue())
	var routes, extensions []*Resource
	for i, port := range role.Ports {
		if ports[i] == 0 {
			continue
		}
		for _, c := range port.Chains {
			body = withChain(body, w.plan.Resources[c].Body, onPort(ports[i]))
		}
		if r := w.resource(port.Route); r != nil {
			routes = append(routes, r)
		}
		if r := w.resource(port.Extension); r != nil {
			extensions = append(extensions, r)
		}
	}
	r := w.made(NewResource(Listener, base.Name, body))
	if p.wrong = checked(r); p.wrong == nil {
		p.wrong = w.proveInbound(role, ports, r)
	}
	if p.wrong != nil {
		return p
	}
	p.sets[Listener] = Set{r}
	p.sets[Route] = newSet(routes)
	p.sets[Extension] = newSet(extensions)
	return p
}

// targetPorts binds each inbound port of a role; 0 is closed. Drift may close,
// never open: a port whose services no longer agree, whose protocol changed, or
// that has come to lie on another's target port is closed.
func (w *World) targetPorts(role *ir.RolePlan, workload string) ([]uint16, diag.List) {
	running := make([]uint16, len(role.Ports))
	var findings diag.List
	for i, p := range role.Ports {
		running[i] = w.targetPort(p, workload, &findings)
	}
	out := slices.Clone(running)
	for i, p := range role.Ports {
		if running[i] == 0 || running[i] == p.TargetPort {
			continue
		}
		// What was compiled for the number counts even if that port has moved away:
		// its callers and nobody else's were to reach what listens there.
		other := slices.IndexFunc(role.Ports, func(o ir.InboundPlan) bool { return o.TargetPort == running[i] })
		for j := 0; j < len(running) && other < 0; j++ {
			if j != i && running[j] == running[i] {
				other = j
			}
		}
		if other >= 0 {
			findings.Add(occupiedTarget(role, p, running[i], role.Ports[other]))
			out[i] = 0
		}
	}
	return out, findings
}

// targetPort is where the services of an inbound port lead to on a workload.
func (w *World) targetPort(p ir.InboundPlan, workload string, findings *diag.List) uint16 {
	var ports []uint16
	var names []string
	for _, id := range p.Services {
		n, closed := w.runningPort(id, p.Protocol, workload)
		if closed {
			return 0 // the service's own findings say why
		}
		if n != 0 {
			ports, names = append(ports, n), append(names, fmt.Sprintf("%s to %d", id, n))
		}
	}
	if len(ports) == 0 {
		return p.TargetPort // the catalog does not say otherwise
	}
	if slices.Min(ports) != slices.Max(ports) {
		findings.Add(partedTargets(p, strings.Join(names, ", ")))
		return 0
	}
	if p.TargetPort != 0 && ports[0] != p.TargetPort {
		findings.Add(movedTarget(p, ports[0]))
	}
	return ports[0]
}

// runningPort is the target port of a service port on a workload as the catalog
// has it; 0 when it does not say.
func (w *World) runningPort(id ir.PortID, compiled ir.Protocol, workload string) (number uint16, closed bool) {
	at, ok := w.serviceAt[id.Service]
	if !ok {
		return 0, false
	}
	s := w.services[at]
	if s.catalog == nil {
		return 0, false
	}
	port := s.port(id.Port, compiled)
	if port == nil {
		return 0, true
	}
	if n, ok := s.targets[workload][id.Port]; ok {
		return n, false
	}
	return port.TargetPort, false
}
