package ir

import (
	"fmt"
	"net/netip"
	"slices"
)

// external judges a call that leaves the mesh.
func (d *decision) external() Verdict {
	if d.r.From == "" {
		return unknown("a client outside the mesh calls something outside the mesh")
	}
	if !d.m.knows(d.r.From) {
		return d.m.stranger(d.r.From)
	}
	if _, _, ok := HostPort(d.r.External); !ok {
		return unknown("%q is no HOST:PORT", d.r.External)
	}
	if !d.m.mayLeave(d.r.From) {
		return d.unlisted(fmt.Sprintf("egress is denied to %s", d.r.From.Short()))
	}
	if d.m.inRanges(d.r.External) {
		return d.unlisted(fmt.Sprintf("%s is an address of the mesh that %s was not given", d.r.External, d.r.From.Short()))
	}
	return Verdict{Outcome: Allow, By: []string{ByEgress}, Reason: fmt.Sprintf("egress is allowed to %s", d.r.From.Short())}
}

// unlisted is what the client's proxy answers for an address it was not given.
func (d *decision) unlisted(reason string) Verdict {
	v := Verdict{Outcome: Deny, Reason: reason}
	if d.r.HTTP == nil {
		return v
	}
	at := *d
	if status, why := at.normalise(); status != 0 {
		v.Status, v.Reason = status, why
		return v
	}
	v.Status = StatusForbidden
	return v
}

// mayLeave tells whether egress is allowed to an identity's workloads.
func (m *Mesh) mayLeave(id Identity) bool {
	if _, ns, _, ok := id.Split(); ok {
		return m.Namespace(ns).EgressAllowed
	}
	return m.Settings.EgressAllowed
}

func (m *Mesh) inRanges(hostport string) bool {
	host, _, ok := HostPort(hostport)
	if !ok {
		return false
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	within := func(p netip.Prefix) bool { return p.Contains(addr.Unmap()) }
	return slices.ContainsFunc(m.Settings.ServiceRanges, within) || slices.ContainsFunc(m.Settings.PodRanges, within)
}
