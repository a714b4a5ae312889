// Package dns answers names as a cluster's DNS does: services, the pods of
// headless services, and the outside names a lab stands in for. It knows only
// the table it is given.
package dns

import (
	"net"
	"net/netip"
	"strings"
	"sync/atomic"

	"github.com/miekg/dns"
)

// Table leads from a name (lower case, without the final dot) to its addresses.
type Table map[string][]netip.Addr

// Server answers from a table that may be replaced at any time.
type Server struct {
	table   atomic.Pointer[Table]
	servers []*dns.Server
}

// Serve answers on both sockets until Close.
func Serve(tcp net.Listener, udp net.PacketConn) *Server {
	s := &Server{}
	s.table.Store(&Table{})
	handler := dns.HandlerFunc(s.answer)
	s.servers = []*dns.Server{{Listener: tcp, Handler: handler}, {PacketConn: udp, Handler: handler}}
	for _, srv := range s.servers {
		go srv.ActivateAndServe()
	}
	return s
}

// Set replaces the table.
func (s *Server) Set(t Table) { s.table.Store(&t) }

// Close ends both servers.
func (s *Server) Close() {
	for _, srv := range s.servers {
		srv.Shutdown()
		if srv.Listener != nil {
			srv.Listener.Close()
		}
		if srv.PacketConn != nil {
			srv.PacketConn.Close()
		}
	}
}

// ttl is short: names follow the manifests while a lab runs.
const ttl = 1

// answer gives all addresses of the family asked for. A name that exists without
// such an address is an empty success; one that does not is NXDOMAIN, at which
// resolvers go on to their next search domain.
func (s *Server) answer(w dns.ResponseWriter, q *dns.Msg) {
	m := new(dns.Msg).SetReply(q)
	m.Authoritative = true
	defer w.WriteMsg(m)
	if len(q.Question) != 1 {
		m.Rcode = dns.RcodeFormatError
		return
	}
	question := q.Question[0]
	addresses, ok := (*s.table.Load())[strings.ToLower(strings.TrimSuffix(question.Name, "."))]
	if !ok {
		m.Rcode = dns.RcodeNameError
		return
	}
	head := dns.RR_Header{Name: question.Name, Rrtype: question.Qtype, Class: dns.ClassINET, Ttl: ttl}
	for _, a := range addresses {
		switch {
		case question.Qtype == dns.TypeA && a.Is4():
			m.Answer = append(m.Answer, &dns.A{Hdr: head, A: a.AsSlice()})
		case question.Qtype == dns.TypeAAAA && a.Is6():
			m.Answer = append(m.Answer, &dns.AAAA{Hdr: head, AAAA: a.AsSlice()})
		}
	}
	if _, isUDP := w.RemoteAddr().(*net.UDPAddr); isUDP {
		size := dns.MinMsgSize
		if opt := q.IsEdns0(); opt != nil {
			size = int(opt.UDPSize())
		}
		m.Truncate(size)
	}
}
