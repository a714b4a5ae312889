package envoy

import "github.com/meshc/meshc/compiler/ir"

// The names that link, bootstrap and readers of access logs know. Everything
// else is made of the names of services, identities and policy objects.
const (
	virtualOutbound = "outbound"
	virtualInbound  = "inbound"

	clusterInbound     = "inbound"
	clusterDenied      = "denied"
	clusterPassthrough = "passthrough"

	chainOutboundDenied = "outbound/denied"
	chainOutboundMesh   = "outbound/mesh"
	chainOutboundEgress = "outbound/egress"
	chainInboundDenied  = "inbound/denied"

	secretIdentity = "identity"
	secretRoots    = "roots"

	// The environment variables every proxy is started with: NS/SA, and the hint
	// by which a server picks the chain of a client.
	formatIdentity = "%ENVIRONMENT(MESHC_IDENTITY)%"
	formatSNI      = "%ENVIRONMENT(MESHC_SNI)%"
)

func clusterName(p ir.PortID) string  { return p.String() }
func directName(p ir.PortID) string   { return "direct/" + p.String() }
func outboundName(p ir.PortID) string { return "outbound/" + p.String() }
func inboundName(p ir.PortID) string  { return "inbound/" + p.String() }
func tcpName(p ir.PortID) string      { return "tcp/" + p.String() }
func rbacName(p ir.PortID) string     { return "rbac/" + p.String() }
func routeName(p ir.PortID) string    { return "Service/" + p.String() }
