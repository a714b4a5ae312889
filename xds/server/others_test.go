package server_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/meshc/meshc/xds/link"
)

// ring is a mesh in which each service calls the next one alone.
var ring = []string{"shop/ann", "shop/bob", "shop/cyd", "shop/dan"}

// circle is a control plane that serves the ring.
func circle(t *testing.T) *control {
	t.Helper()
	s := spec{calls: map[string][]string{}}
	var world []runs
	for i, name := range ring {
		s.services = append(s.services, svc{name: name, tls: true, tcp: i%2 == 1})
		s.calls[name] = []string{ring[(i+1)%len(ring)]}
		world = append(world, runs{name: name, vip: fmt.Sprintf("10.0.9.%d", i+1), endpoints: []string{fmt.Sprintf("10.1.9.%d:8080", i+1)}})
	}
	c := newControl(t)
	c.server.Set(s.build(t), snapshot(world))
	return c
}

// others are the words by which one of the ring would hear of those it may not call.
func others(i int) []string {
	var out []string
	for j, name := range ring {
		if j != i && j != (i+1)%len(ring) {
			out = append(out, name, fmt.Sprintf("10.0.9.%d", j+1), fmt.Sprintf("10.1.9.%d", j+1))
		}
	}
	return out
}

// everyName is each name that any proxy of the ring is served, and what could be tried.
func everyName() []string {
	out := []string{"*", "", "inbound", "outbound", "identity", "roots"}
	for _, name := range ring {
		port := name + ":18080"
		out = append(out, port, name, "outbound/"+port, "inbound/"+port, "tcp/"+port, "rbac/"+port, "direct/"+port, string(id(name)), "identity/"+name,
			"xdstp:///envoy.config.cluster.v3.Cluster/"+port)
	}
	return out
}

// A proxy that asks for every name of every other identity, in both protocols and of
// every type, is sent what it may have and no more: not even when it says that it is
// the other one, or that it has the resource already.
func TestEveryNameOfOthersIsAskedForInVain(t *testing.T) {
	c := circle(t)
	for i, own := range ring {
		for _, whole := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s whole=%v", own, whole), func(t *testing.T) {
				method := "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
				if whole {
					method = strings.Replace(method, "Delta", "Stream", 1)
				}
				conn, err := grpc.NewClient(c.address, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: c.ca.Pool()})))
				must(t, err)
				defer conn.Close()
				ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(t.Context(), "authorization", c.token(own, own+"-0")), patience)
				defer cancel()
				stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method, grpc.ForceCodec(raw{}))
				must(t, err)
				seen, leaves := 0, 0
				h := &honest{stream: stream, whole: whole, rounds: 8, permitted: func(url string, body []byte) error {
					seen++
					if url == link.Secret.URL() {
						leaves++
					}
					return permitted(own, others(i), url, body)
				}}
				victim := ring[(i+2)%len(ring)]
				node := &corev3.Node{Id: victim + "-0", Cluster: victim}
				for typ := range link.Types {
					url := link.Type(typ).URL()
					if whole {
						h.send(&discovery.DiscoveryRequest{Node: node, TypeUrl: url, ResourceNames: everyName()})
					} else {
						h.send(&discovery.DeltaDiscoveryRequest{Node: node, TypeUrl: url, ResourceNamesSubscribe: everyName(),
							InitialResourceVersions: map[string]string{victim + ":18080": "1"}})
					}
				}
				if err := h.ask(); err != nil {
					t.Error(err)
				}
				if seen < 4 || leaves == 0 {
					t.Errorf("it was sent %d resources, %d secrets: the test asks for too little", seen, leaves)
				}
			})
		}
	}
}

// Of all calls that discovery knows, the two aggregated streams are answered: no other
// door leads to what a proxy may not have.
func TestNoOtherCallIsAnswered(t *testing.T) {
	c := circle(t)
	conn, err := grpc.NewClient(c.address, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: c.ca.Pool()})))
	must(t, err)
	defer conn.Close()
	tried := 0
	try := func(method string) {
		tried++
		ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(t.Context(), "authorization", c.token(ring[0], "")), patience)
		defer cancel()
		stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method, grpc.ForceCodec(raw{}))
		if err == nil {
			var body []byte
			err = stream.RecvMsg(&body)
		}
		if status.Code(err) != codes.Unimplemented {
			t.Errorf("%s: %v", method, err)
		}
	}
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		if !strings.HasPrefix(string(f.Package()), "envoy.service.") && !strings.HasPrefix(string(f.Package()), "grpc.") {
			return true
		}
		for i := range f.Services().Len() {
			s := f.Services().Get(i)
			for j := range s.Methods().Len() {
				if s.FullName() != "envoy.service.discovery.v3.AggregatedDiscoveryService" {
					try(fmt.Sprintf("/%s/%s", s.FullName(), s.Methods().Get(j).Name()))
				}
			}
		}
		return true
	})
	for _, method := range []string{"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "/grpc.health.v1.Health/Check", "/grpc.channelz.v1.Channelz/GetServers",
		"/envoy.service.discovery.v3.AggregatedDiscoveryService/FetchAggregatedResources", "/envoy.service.status.v3.ClientStatusDiscoveryService/StreamClientStatus"} {
		try(method)
	}
	if tried < 10 {
		t.Errorf("only %d calls were tried: the walk is broken", tried)
	}
}
