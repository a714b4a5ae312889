package verify

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	statev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/common/set_filter_state/v3"
	directv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/direct_response/v3"
	netstatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/set_filter_state/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	"google.golang.org/protobuf/types/known/anypb"
)

// filter is a network filter. A nil answer hands on to the next one; by are the
// policies that the filters before it named.
type filter interface {
	handle(p *Proxy, r *request, by []string) (*answer, []string, error)
}

func newFilter(m *listenerv3.Filter) (filter, error) {
	if err := only(m, "name", "typed_config", "config_discovery"); err != nil {
		return nil, err
	}
	if d := m.GetConfigDiscovery(); d != nil {
		return newDiscovered(m.Name, d)
	}
	f, err := newTypedFilter(m.GetTypedConfig())
	return f, inside(err, "filter %s", m.Name)
}

const urlNetworkRBAC = "type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC"

func newTypedFilter(a *anypb.Any) (filter, error) {
	switch a.GetTypeUrl() {
	case urlManager:
		return readManager(a.GetValue())
	case urlNetworkRBAC:
		return networkRBAC(a.GetValue())
	}
	config, err := unpack(a)
	if err != nil {
		return nil, err
	}
	switch c := config.(type) {
	case *tcpv3.TcpProxy:
		return newTCP(c)
	case *netstatev3.Config:
		return newState(c)
	case *directv3.Config:
		return closing{}, only(c)
	}
	return nil, fmt.Errorf("%s is not understood", a.GetTypeUrl())
}

// discovered is a filter whose configuration comes by ECDS under its name.
type discovered struct {
	name  string
	types []string
}

func newDiscovered(name string, m *corev3.ExtensionConfigSource) (filter, error) {
	if err := only(m, "config_source", "type_urls"); err != nil {
		return nil, inside(err, "filter %s", name)
	}
	return &discovered{name, m.TypeUrls}, nil
}

func (d *discovered) handle(p *Proxy, r *request, by []string) (*answer, []string, error) {
	f, url, err := p.extension(d.name)
	if err != nil {
		return nil, nil, err
	}
	if f == nil {
		return closed("the configuration of filter " + d.name + " is missing"), by, nil
	}
	if !slices.Contains(d.types, url) {
		return nil, nil, fmt.Errorf("extension %s is a %s, which its filter does not take", d.name, url)
	}
	r.hop.extension(d.name)
	return f.handle(p, r, by)
}

// handle of network RBAC lets a connection on, or closes it.
func (f *rbac) handle(_ *Proxy, r *request, by []string) (*answer, []string, error) {
	r.hop.judged(f)
	names, ok := f.judge(r)
	if !ok {
		return closed("no policy of the network RBAC lets it in"), by, nil
	}
	return nil, append(by, names...), nil
}

// closing is the direct_response filter without a response.
type closing struct{}

func (closing) handle(_ *Proxy, _ *request, by []string) (*answer, []string, error) {
	return closed("the listener closes it"), by, nil
}

// state sets what the upstream connection is to know.
type state struct{ key, variable string }

func newState(m *netstatev3.Config) (filter, error) {
	if err := only(m, "on_new_connection"); err != nil {
		return nil, err
	}
	values, err := each(m.OnNewConnection, func(v *statev3.FilterStateValue) (state, error) {
		if err := only(v, "object_key", "format_string", "shared_with_upstream"); err != nil {
			return state{}, err
		}
		if v.SharedWithUpstream == statev3.FilterStateValue_NONE {
			return state{}, errors.New("filter state that the upstream does not see is not understood")
		}
		format := v.GetFormatString().GetTextFormatSource().GetInlineString()
		name, ok := strings.CutPrefix(format, "%ENVIRONMENT(")
		name, closed := strings.CutSuffix(name, ")%")
		if !ok || !closed {
			return state{}, fmt.Errorf("filter state %q is not understood", format)
		}
		return state{v.GetObjectKey(), name}, nil
	})
	return states(values), err
}

type states []state

func (s states) handle(_ *Proxy, r *request, by []string) (*answer, []string, error) {
	for _, v := range s {
		if r.state == nil {
			r.state = map[string]string{}
		}
		r.state[v.key] = r.variable(v.variable)
	}
	return nil, by, nil
}

// tcp forwards bytes.
type tcp struct{ shares []share }

func newTCP(m *tcpv3.TcpProxy) (filter, error) {
	if err := only(m, "stat_prefix", "cluster", "weighted_clusters", "idle_timeout", "access_log", "max_connect_attempts", "access_log_options",
		"upstream_connect_mode", "max_early_data_bytes"); err != nil {
		return nil, err
	}
	if name := m.GetCluster(); name != "" {
		return &tcp{[]share{{name, 1}}}, nil
	}
	shares, err := each(m.GetWeightedClusters().GetClusters(), func(c *tcpv3.TcpProxy_WeightedCluster_ClusterWeight) (share, error) {
		if c.Weight == 0 {
			return share{}, fmt.Errorf("cluster %s has weight 0, which Envoy refuses", c.Name)
		}
		return share{c.Name, c.Weight}, only(c, "name", "weight")
	})
	if err == nil && len(shares) == 0 {
		err = errors.New("tcp_proxy names no cluster")
	}
	return &tcp{shares}, err
}

func (t *tcp) handle(_ *Proxy, r *request, by []string) (*answer, []string, error) {
	return &answer{by: by, forward: t.shares, reply: func(int, string) int { return 0 }}, by, nil
}
