package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	peer "github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/proto"

	"crypto/tls"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/catalog/ca"
	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/xds/link"
	"github.com/meshc/meshc/xds/server"
)

// fleet is who is served in the measurement of one endpoint change.
var fleet = star{services: 100, clients: 1000, protocol: "http"}

// serve is a control plane in a process of its own: `child-serve KIND STATE`. It
// says its address; then, for each line it is sent, "change" moves an endpoint
// and says when it began, "usage" says what the process has used.
func serve(args []string) error {
	packed, err := fleet.bundle()
	if err != nil {
		return err
	}
	authority, err := ca.Open(args[1], ca.Options{})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	snap := snapshotOf(packed.Mesh)
	make := serveMeshc
	if args[0] == "snapshotcache" {
		make = serveSnapshots
	}
	set, err := make(authority, packed, l)
	if err != nil {
		return err
	}
	if err := set(snap); err != nil {
		return err
	}
	fmt.Println(l.Addr())
	for in, i := bufio.NewScanner(os.Stdin), 1; in.Scan(); i++ {
		switch in.Text() {
		case "change":
			next := moved(snap, i)
			fmt.Println(time.Now().UnixNano())
			if err := set(next); err != nil {
				return err
			}
		case "usage":
			var u syscall.Rusage
			if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
				return err
			}
			fmt.Println(time.Duration(u.Utime.Nano()+u.Stime.Nano()).Seconds(), u.Maxrss/1024)
		}
	}
	return nil
}

// setter serves a catalog from now on.
type setter func(*catalog.Snapshot) error

func serveMeshc(authority *ca.Authority, packed *bundle.Bundle, l net.Listener) (setter, error) {
	s, err := server.New(server.Options{Authority: authority, Certificate: authority.GetCertificate([]string{"127.0.0.1"})})
	if err != nil {
		return nil, err
	}
	go func() { _ = s.Serve(l) }()
	return func(snap *catalog.Snapshot) error { s.Set(packed, snap); return nil }, nil
}

// serveSnapshots serves the same clusters and endpoints by go-control-plane's
// SnapshotCache over the same TLS: a snapshot for each proxy, as its users do,
// for each proxy of a mesh has a configuration of its own.
func serveSnapshots(authority *ca.Authority, packed *bundle.Bundle, l net.Listener) (setter, error) {
	snapshots := cache.NewSnapshotCache(true, cache.IDHash{}, nil)
	g := grpc.NewServer(grpc.Creds(credentials.NewTLS(&tls.Config{
		GetCertificate: authority.GetCertificate([]string{"127.0.0.1"}), ClientCAs: authority.Pool(),
		ClientAuth: tls.VerifyClientCertIfGiven, NextProtos: []string{"h2"},
	})))
	discovery.RegisterAggregatedDiscoveryServiceServer(g, peer.NewServer(context.Background(), snapshots, nil))
	go func() { _ = g.Serve(l) }()
	version := 0
	return func(snap *catalog.Snapshot) error {
		version++
		clusters, endpoints, err := messages(packed, snap)
		if err != nil {
			return err
		}
		for i := range fleet.clients {
			one, err := cache.NewSnapshot(fmt.Sprint(version), map[resource.Type][]types.Resource{
				resource.ClusterType: clusters, resource.EndpointType: endpoints})
			if err != nil {
				return err
			}
			if err := snapshots.SetSnapshot(context.Background(), workload(fleet.client(i)), one); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// messages are what a client is sent, as messages.
func messages(packed *bundle.Bundle, snap *catalog.Snapshot) (clusters, endpoints []types.Resource, err error) {
	w, _ := link.New(packed, snap)
	view, err := w.ForWorkload(fleet.client(0), "")
	if err != nil {
		return nil, nil, err
	}
	for r := range view.All(link.Cluster) {
		c := &clusterv3.Cluster{}
		if err := proto.Unmarshal(r.Any.GetValue(), c); err != nil {
			return nil, nil, err
		}
		if !strings.HasPrefix(c.GetName(), "bench/") {
			continue
		}
		clusters = append(clusters, c)
		e := &endpointv3.ClusterLoadAssignment{}
		if err := proto.Unmarshal(w.Endpoints(c.GetName()).Any.GetValue(), e); err != nil {
			return nil, nil, err
		}
		endpoints = append(endpoints, e)
	}
	return clusters, endpoints, nil
}
