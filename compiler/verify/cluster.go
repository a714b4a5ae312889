package verify

import (
	"fmt"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
)

// cluster is where a proxy forwards to.
type cluster struct {
	name string
	// original: to the address that was dialled; else to endpoints by EDS under
	// this name; with neither it has none.
	original  bool
	endpoints string
	tls       *tlsContext
	http      bool // it speaks the client's HTTP version, and offers that as ALPN
}

func newCluster(m *clusterv3.Cluster) (*cluster, error) {
	if err := only(m, "name", "type", "eds_cluster_config", "load_assignment", "transport_socket", "lb_policy", "typed_extension_protocol_options",
		"connect_timeout", "circuit_breakers", "upstream_connection_options", "common_lb_config", "upstream_bind_config",
		"outlier_detection", "alt_stat_name", "per_connection_buffer_limit_bytes", "ignore_health_on_host_removal"); err != nil {
		return nil, inside(err, "cluster %s", m.Name)
	}
	c := &cluster{name: m.Name, http: len(m.TypedExtensionProtocolOptions) > 0}
	switch m.GetType() {
	case clusterv3.Cluster_EDS:
		c.endpoints = m.Name
		if n := m.GetEdsClusterConfig().GetServiceName(); n != "" {
			c.endpoints = n
		}
	case clusterv3.Cluster_ORIGINAL_DST:
		c.original = true
	case clusterv3.Cluster_STATIC:
		if len(m.GetLoadAssignment().GetEndpoints()) > 0 {
			return nil, fmt.Errorf("cluster %s: static endpoints are not understood", m.Name)
		}
	default:
		return nil, fmt.Errorf("cluster %s: type %s is not understood", m.Name, m.GetType())
	}
	var err error
	c.tls, err = newTLS(m.TransportSocket)
	return c, inside(err, "cluster %s", m.Name)
}

// hello is what the cluster's connections say to a server.
func (c *cluster) hello(r *request, own *hello) *hello {
	if c.tls == nil {
		return nil
	}
	h := *own
	h.of, h.sni, h.alpn = c.tls, c.tls.sni, c.tls.alpn
	if h.sni == "" {
		h.sni = r.state["envoy.network.upstream_server_name"]
	}
	if len(h.alpn) == 0 && c.http {
		h.alpn = []string{"http/1.1"}
	}
	if !c.tls.presents {
		h.own = ""
	}
	return &h
}
