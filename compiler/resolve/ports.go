package resolve

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// protocolSaid tells a port's protocol and what said so (row 29).
func protocolSaid(p syntax.ServicePort) (ir.Protocol, ir.SaidBy) {
	return ir.PortProtocol(p.Protocol, p.AppProtocol, p.Name)
}

func protocolOf(p syntax.ServicePort) ir.Protocol {
	protocol, _ := protocolSaid(p)
	return protocol
}

// targetOf is the target port as written, its default filled in.
func targetOf(p syntax.ServicePort) string {
	if p.TargetName != "" {
		return p.TargetName
	}
	return strconv.FormatInt(targetNumber(p), 10)
}

func targetNumber(p syntax.ServicePort) int64 {
	if p.TargetPort == 0 {
		return p.Port
	}
	return p.TargetPort
}

// settlePorts gives the service its ports in order of number, TCP before UDP.
func (r *resolver) settlePorts(s *service) {
	for i, p := range s.ports {
		if !r.usablePort(s, i) {
			continue
		}
		protocol := r.judgeProtocol(s, i)
		port := ir.Port{Number: uint16(p.Port), Name: p.Name, Protocol: protocol, TargetName: p.TargetName}
		if p.TargetName == "" {
			port.TargetPort = uint16(targetNumber(p))
		} else {
			port.TargetPort = commonTarget(s.workloads, p)
		}
		s.out.Ports = append(s.out.Ports, port)
	}
	slices.SortStableFunc(s.out.Ports, func(a, b ir.Port) int {
		return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(boolInt(a.Protocol == ir.UDP), boolInt(b.Protocol == ir.UDP)))
	})
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// usablePort refuses numbers and transports that no proxy can carry.
func (r *resolver) usablePort(s *service, i int) bool {
	p := s.ports[i]
	if !validPort(p.Port) || p.TargetName == "" && !validPort(targetNumber(p)) {
		r.report(diag.New("MSH4018", s.portAt(i, "port"), "service %q has a port that is not between 1 and 65535", s.id.Name).
			WithEffect("the port is left out").WithHelp("write a number between 1 and 65535").About(serviceRef(s), "spec.ports"))
		return false
	}
	switch p.Protocol {
	case "", "TCP", "UDP":
		return true
	}
	r.report(diag.New("MSH4018", s.portAt(i, "protocol"), "port %d of service %q has the protocol %q", p.Port, s.id.Name, p.Protocol).
		WithEffect("the port is left out: proxies carry TCP, and UDP on nodes").WithHelp("use TCP or UDP").About(serviceRef(s), "spec.ports"))
	return false
}

// judgeProtocol tells the protocol, with a hint where it is a guess.
func (r *resolver) judgeProtocol(s *service, i int) ir.Protocol {
	p := s.ports[i]
	protocol, by := protocolSaid(p)
	switch {
	case p.AppProtocol != "" && by != ir.SaidByAppProtocol && by != ir.SaidByTransport:
		f := diag.New("MSH4002", s.portAt(i, "appProtocol"), "appProtocol %q of port %d of service %q is not one the mesh knows", p.AppProtocol, p.Port, s.id.Name).
			WithEffect("the port is carried as %s", protocol)
		r.report(f.WithHelp("write one of http, http2, grpc, tcp, tcp-server-first, tls, https, udp; tcp-server-first is for protocols whose server speaks first, as MySQL").About(serviceRef(s), "spec.ports"))
	case by == ir.Guessed:
		r.report(diag.New("MSH4001", s.portAt(i, "port"), "nothing says which protocol port %d of service %q speaks", p.Port, s.id.Name).
			WithEffect("it is carried as HTTP: clients of any other protocol are cut off").
			WithHelp("write `appProtocol: http`, or tcp, grpc and so on").About(serviceRef(s), "spec.ports"))
	case protocol == ir.UDP && by != ir.SaidByTransport:
		r.report(diag.New("MSH4002", s.portAt(i, "protocol"), "port %d of service %q is called UDP, but its protocol is TCP", p.Port, s.id.Name).
			WithEffect("it counts as UDP: sidecars do not carry it").
			WithHelp("write `protocol: UDP`, or another name and appProtocol").About(serviceRef(s), "spec.ports"))
	}
	return protocol
}

// commonTarget is the number a named target port has in all workloads, 0 if
// they differ or none is known.
func commonTarget(workloads []*workload, p syntax.ServicePort) uint16 {
	var common uint16
	for _, w := range workloads {
		n, ok := w.port(p.TargetName, p.Protocol == "UDP")
		if !ok {
			continue
		}
		if common != 0 && common != n {
			return 0
		}
		common = n
	}
	return common
}

// readPlaintext marks the ports that clients without a certificate may reach:
// by the namespace's setting or by the Service's annotation, a list of numbers
// or names of ports.
func (r *resolver) readPlaintext(s *service) {
	open := r.policy(s.id.Namespace).PlaintextAllowed
	for i := range s.out.Ports {
		s.out.Ports[i].Plaintext = open
	}
	if s.obj == nil || s.made {
		return
	}
	written, ok := s.obj.Annotations[annotationPlaintext]
	if !ok {
		return
	}
	for item := range strings.SplitSeq(written, ",") {
		item = strings.TrimSpace(item)
		found := false
		for i := range s.out.Ports {
			p := &s.out.Ports[i]
			if item == strconv.Itoa(int(p.Number)) || item != "" && item == p.Name {
				p.Plaintext, found = true, true
			}
		}
		if !found {
			r.report(diag.New("MSH4012", s.obj.At("metadata", "annotations", annotationPlaintext), "service %q has no port %q to open for plaintext", s.id.Name, item).
				WithEffect("clients without a mesh certificate are refused there").
				WithHelp("write numbers or names of its ports, with commas between them: %s", portList(s.out.Ports)).About(serviceRef(s), "metadata.annotations"))
		}
	}
}

func portList(ports []ir.Port) string {
	out := make([]string, len(ports))
	for i, p := range ports {
		out[i] = strconv.Itoa(int(p.Number))
	}
	return strings.Join(out, ", ")
}
