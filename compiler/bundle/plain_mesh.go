package bundle

import (
	"net/netip"
	"time"

	"github.com/meshc/meshc/compiler/ir"
)

// plainMesh reads an IR as Pack writes it; ok is false when it is another.
func plainMesh(content []byte) (mesh *ir.Mesh, ok bool) {
	p, m := &plain{in: string(content)}, &ir.Mesh{}
	o := p.object()
	member(&o, "settings", &m.Settings, plainSettings)
	member(&o, "namespaces", &m.Namespaces, listOf(plainNamespace))
	member(&o, "identities", &m.Identities, plainTexts)
	member(&o, "services", &m.Services, listOf(plainService))
	member(&o, "roles", &m.Roles, listOf(plainRole))
	member(&o, "grants", &m.Grants, listOf(plainGrant))
	member(&o, "splits", &m.Splits, listOf(plainSplit))
	o.end()
	p.take("\n")
	return m, !p.declined && p.at == len(p.in)
}

func listOf[T any](read func(*plain, *T)) func(*plain, *[]T) {
	return func(p *plain, v *[]T) { elements(p, v, read) }
}

func plainSettings(p *plain, v *ir.Settings) {
	o := p.object()
	member(&o, "name", &v.Name, plainText)
	member(&o, "trustDomain", &v.TrustDomain, plainText)
	member(&o, "clusterDomain", &v.ClusterDomain, plainText)
	member(&o, "mode", &v.Mode, plainText)
	member(&o, "egressAllowed", &v.EgressAllowed, plainBool)
	member(&o, "plaintextAllowed", &v.PlaintextAllowed, plainBool)
	member(&o, "compat", &v.Compat, plainText)
	member(&o, "denialBody", &v.DenialBody, plainBool)
	member(&o, "denialHeader", &v.DenialHeader, plainBool)
	member(&o, "tcpDrain", &v.TCPDrain, plainInt)
	member(&o, "maxStreamDuration", &v.MaxStreamDuration, plainInt)
	member(&o, "serviceRanges", &v.ServiceRanges, listOf(plainPrefix))
	member(&o, "podRanges", &v.PodRanges, listOf(plainPrefix))
	member(&o, "certificates", &v.Certificates, plainLifetimes)
	o.end()
}

func plainPrefix(p *plain, v *netip.Prefix) {
	var text string
	plainText(p, &text)
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		p.decline()
	}
	*v = prefix
}

func plainTime(p *plain, v *time.Time) {
	var text string
	plainText(p, &text)
	if err := v.UnmarshalText([]byte(text)); err != nil {
		p.decline()
	}
}

func plainLifetimes(p *plain, v *ir.Lifetimes) {
	o := p.object()
	member(&o, "leaf", &v.Leaf, plainInt)
	member(&o, "intermediate", &v.Intermediate, plainInt)
	member(&o, "grace", &v.Grace, plainInt)
	o.end()
}

func plainNamespace(p *plain, v *ir.Namespace) {
	o := p.object()
	member(&o, "name", &v.Name, plainText)
	member(&o, "mode", &v.Mode, plainText)
	member(&o, "plaintextAllowed", &v.PlaintextAllowed, plainBool)
	member(&o, "egressAllowed", &v.EgressAllowed, plainBool)
	o.end()
}

func plainServiceID(p *plain, v *ir.ServiceID) {
	o := p.object()
	member(&o, "namespace", &v.Namespace, plainText)
	member(&o, "name", &v.Name, plainText)
	o.end()
}

func plainPortID(p *plain, v *ir.PortID) {
	o := p.object()
	member(&o, "service", &v.Service, plainServiceID)
	member(&o, "port", &v.Port, plainUint)
	o.end()
}

func plainService(p *plain, v *ir.Service) {
	o := p.object()
	member(&o, "id", &v.ID, plainServiceID)
	member(&o, "headless", &v.Headless, plainBool)
	member(&o, "accounts", &v.Accounts, plainTexts)
	member(&o, "outside", &v.Outside, plainBool)
	member(&o, "ports", &v.Ports, listOf(plainPort))
	o.end()
}

func plainPort(p *plain, v *ir.Port) {
	o := p.object()
	member(&o, "number", &v.Number, plainUint)
	member(&o, "name", &v.Name, plainText)
	member(&o, "protocol", &v.Protocol, plainText)
	member(&o, "plaintext", &v.Plaintext, plainBool)
	member(&o, "targetPort", &v.TargetPort, plainUint)
	member(&o, "targetName", &v.TargetName, plainText)
	o.end()
}

func plainRole(p *plain, v *ir.Role) {
	o := p.object()
	member(&o, "identity", &v.Identity, plainText)
	member(&o, "services", &v.Services, listOf(plainServiceID))
	member(&o, "ports", &v.Ports, listOf(plainInbound))
	o.end()
}

func plainInbound(p *plain, v *ir.InboundPort) {
	o := p.object()
	member(&o, "targetPort", &v.TargetPort, plainUint)
	member(&o, "targetName", &v.TargetName, plainText)
	member(&o, "protocol", &v.Protocol, plainText)
	member(&o, "plaintext", &v.Plaintext, plainBool)
	member(&o, "services", &v.Services, listOf(plainPortID))
	o.end()
}

func plainGrant(p *plain, v *ir.Grant) {
	o := p.object()
	member(&o, "name", &v.Name, plainText)
	member(&o, "sources", &v.Sources, plainTexts)
	member(&o, "destination", &v.Destination, plainText)
	member(&o, "ports", &v.Ports, listOf(plainPortID))
	member(&o, "http", &v.HTTP, listOf(plainMatch))
	member(&o, "until", &v.Until, plainTime)
	o.end()
}

func plainMatch(p *plain, v *ir.Match) {
	o := p.object()
	member(&o, "name", &v.Name, plainText)
	member(&o, "path", &v.Path, plainText)
	member(&o, "methods", &v.Methods, plainTexts)
	member(&o, "headers", &v.Headers, listOf(plainHeader))
	o.end()
}

func plainHeader(p *plain, v *ir.HeaderMatch) {
	o := p.object()
	member(&o, "name", &v.Name, plainText)
	member(&o, "regex", &v.Regex, plainText)
	member(&o, "full", &v.Full, plainBool)
	o.end()
}

func plainSplit(p *plain, v *ir.Split) {
	o := p.object()
	member(&o, "name", &v.Name, plainText)
	member(&o, "root", &v.Root, plainServiceID)
	member(&o, "matches", &v.Matches, listOf(plainMatch))
	member(&o, "backends", &v.Backends, listOf(plainBackend))
	o.end()
}

func plainBackend(p *plain, v *ir.Backend) {
	o := p.object()
	member(&o, "service", &v.Service, plainServiceID)
	member(&o, "weight", &v.Weight, plainUint)
	member(&o, "ports", &v.Ports, func(p *plain, v *[]uint16) { elements(p, v, plainUint) })
	member(&o, "missing", &v.Missing, plainBool)
	o.end()
}
