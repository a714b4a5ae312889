package verify

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"
)

// A class is what a piece of configuration makes of requests, in words that are
// equal for pieces that treat all requests alike, whatever the names of their
// policies, clusters and clients. What the interpreter reads of a request must
// be in it; names are in it as what they stand for around a service port.

// same is a message in words.
func same(m proto.Message) string {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return err.Error()
	}
	return strconv.Itoa(len(b)) + ":" + string(b)
}

func managerClass(m *hcmv3.HttpConnectionManager, guards []guard) string {
	var b strings.Builder
	fmt.Fprintf(&b, "manager %v %v %v %v", m.NormalizePath.GetValue(), m.MergeSlashes, m.PathWithEscapedSlashesAction, m.ForwardClientCertDetails)
	for _, e := range m.EarlyHeaderMutationExtensions {
		b.WriteString(same(e))
	}
	for _, r := range m.GetLocalReplyConfig().GetMappers() {
		fmt.Fprintf(&b, " reply %d %s", r.StatusCode.GetValue(), same(r.Filter))
	}
	for _, g := range guards {
		b.WriteString(g.name + " " + g.rbac.class)
	}
	return b.String()
}

func routeClass(m *routev3.Route, to *route) string {
	var b strings.Builder
	fmt.Fprintf(&b, "route %s %d", same(m.Match), to.direct)
	for _, s := range to.shares {
		fmt.Fprintf(&b, " %d", s.weight)
	}
	for _, name := range slices.Sorted(maps.Keys(to.guards)) {
		b.WriteString(" " + name + " " + to.guards[name].class)
	}
	return b.String()
}
