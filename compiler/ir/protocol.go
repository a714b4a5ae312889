package ir

import "strings"

// protocolNames are what appProtocol and port-name prefixes may say (row 29).
// A longer name stands before its own beginning.
var protocolNames = []struct {
	name     string
	protocol Protocol
}{
	{"http2", HTTP2}, {"https", TLS}, {"http", HTTP}, {"grpc", GRPC},
	{"tcp-server-first", TCPServerFirst}, {"tcp", TCP}, {"tls", TLS}, {"udp", UDP},
	// Kubernetes' own names for appProtocol.
	{"kubernetes.io/h2c", HTTP2}, {"kubernetes.io/ws", HTTP}, {"kubernetes.io/wss", TLS},
}

// SaidBy is what a port's protocol was learned from.
type SaidBy int

// What says a protocol, the strongest first.
const (
	SaidByTransport SaidBy = iota // protocol: UDP
	SaidByAppProtocol
	SaidByName
	Guessed
)

// PortProtocol tells a service port's protocol and what said so: transport UDP, then
// appProtocol, then the prefix of the port's name, then HTTP as a guess (row 29).
func PortProtocol(transport, appProtocol, name string) (Protocol, SaidBy) {
	if transport == "UDP" {
		return UDP, SaidByTransport
	}
	for _, n := range protocolNames {
		if strings.EqualFold(appProtocol, n.name) {
			return n.protocol, SaidByAppProtocol
		}
	}
	for _, n := range protocolNames {
		if name == n.name || strings.HasPrefix(name, n.name+"-") {
			return n.protocol, SaidByName
		}
	}
	return HTTP, Guessed
}
