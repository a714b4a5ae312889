// Package echo is the workload a lab runs when the manifests name no command of
// their own: it answers on each port in the port's protocol, and says who it is
// and which identity called. It knows nothing of the mesh around it.
package echo

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/meshc/meshc/compiler/ir"
)

// Who is the pod as it introduces itself.
type Who struct {
	Workload string `json:"workload"` // NAMESPACE/NAME
	Pod      string `json:"pod"`
	Account  string `json:"account"` // NAMESPACE/SERVICEACCOUNT
}

// Port is a port to answer on.
type Port struct {
	Number   uint16
	Protocol ir.Protocol
	Loopback bool // on 127.0.0.1 alone
}

// Server holds the open ports of a workload.
type Server struct{ closers []io.Closer }

// Start opens the ports in the network of the calling process.
func Start(who Who, ports []Port) (*Server, error) {
	s := &Server{}
	for _, p := range ports {
		if err := s.open(who, p); err != nil {
			s.Close()
			return nil, fmt.Errorf("echo on port %d: %w", p.Number, err)
		}
	}
	return s, nil
}

// Close shuts the ports and ends open connections of HTTP.
func (s *Server) Close() {
	for _, c := range s.closers {
		c.Close()
	}
}

func (s *Server) open(who Who, p Port) error {
	address := ":" + strconv.Itoa(int(p.Number))
	if p.Loopback {
		address = "127.0.0.1" + address
	}
	if p.Protocol == ir.UDP {
		conn, err := net.ListenPacket("udp", address)
		if err != nil {
			return err
		}
		s.closers = append(s.closers, conn)
		go udp(conn)
		return nil
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	if !p.Protocol.IsHTTP() {
		s.closers = append(s.closers, l)
		go tcp(l, who, p.Protocol == ir.TCPServerFirst)
		return nil
	}
	srv := &http.Server{Handler: handler(who), ReadHeaderTimeout: 10 * time.Second, Protocols: new(http.Protocols), ErrorLog: log.New(io.Discard, "", 0)}
	srv.Protocols.SetHTTP1(true)
	srv.Protocols.SetUnencryptedHTTP2(true)
	s.closers = append(s.closers, srv)
	go srv.Serve(l)
	return nil
}

// tcp greets (first, where the protocol is one in which the server does), then
// returns every byte.
func tcp(l net.Listener, who Who, first bool) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			greeting := fmt.Sprintf("%s of %s (%s)\n", who.Pod, who.Workload, who.Account)
			if first {
				io.WriteString(c, greeting)
				io.Copy(c, c)
				return
			}
			buf := make([]byte, 4096)
			n, err := c.Read(buf)
			if err != nil {
				return
			}
			io.WriteString(c, greeting)
			c.Write(buf[:n])
			io.Copy(c, c)
		}()
	}
}

func udp(c net.PacketConn) {
	buf := make([]byte, 64<<10)
	for {
		n, from, err := c.ReadFrom(buf)
		if err != nil {
			return
		}
		c.WriteTo(buf[:n], from)
	}
}
