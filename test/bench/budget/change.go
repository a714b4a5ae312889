package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/meshc/meshc/catalog/ca"
	"github.com/meshc/meshc/xds/link"
)

// rounds of changes that count; a few before them do not.
const changeRounds, changeWarmth = 20, 3

// changes measures one endpoint change on its way to 1,000 proxies. The clients
// are in this process, the servers each in one of their own, over TLS both.
func (b *bench) changes() error {
	b.table.chapter(fmt.Sprintf("one endpoint changes: %d proxies, %d clusters each, until the last has it", fleet.clients, fleet.services))
	ours, err := b.change("meshc")
	if err != nil {
		return err
	}
	theirs, err := b.change("snapshotcache")
	if err != nil {
		return err
	}
	for _, c := range []struct {
		who string
		of  changed
	}{{"meshc", ours}, {"go-control-plane's SnapshotCache", theirs}} {
		b.table.add(figure{What: c.who + ": receipt, p99", Unit: "ms", Value: c.of.p99})
		b.table.add(figure{What: c.who + ": receipt, median", Unit: "ms", Value: c.of.p50})
		b.table.add(figure{What: c.who + ": the server's processor time a change", Unit: "ms", Value: c.of.cpu})
		b.table.add(figure{What: c.who + ": the server's peak memory", Unit: "MiB", Value: c.of.peak})
	}
	b.table.add(figure{What: "p99 against SnapshotCache", Unit: "times", Value: ours.p99 / theirs.p99, Budget: 0.2})
	b.table.add(figure{What: "processor time against SnapshotCache", Unit: "times", Value: ours.cpu / theirs.cpu, Budget: 0.1})
	return nil
}

// changed is what a change takes, in milliseconds and MiB.
type changed struct{ p50, p99, cpu, peak float64 }

func (b *bench) change(kind string) (changed, error) {
	state := filepath.Join(b.work, "ca")
	authority, err := ca.Open(state, ca.Options{})
	if err != nil {
		return changed{}, err
	}
	s, err := startServer(kind, state)
	if err != nil {
		return changed{}, err
	}
	defer s.stop()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	got := make(chan receipt, 4*fleet.clients)
	for i := range fleet.clients {
		if err := follow(ctx, authority, s.address, i, got); err != nil {
			return changed{}, err
		}
	}
	for range fleet.clients { // all have everything
		if _, err := next(got); err != nil {
			return changed{}, err
		}
	}
	var took []float64
	var before float64
	for round := range changeWarmth + changeRounds {
		if round == changeWarmth {
			before, _ = s.usage()
		}
		began, err := s.change()
		if err != nil {
			return changed{}, err
		}
		for range fleet.clients {
			r, err := next(got)
			if err != nil {
				return changed{}, err
			}
			if round >= changeWarmth {
				took = append(took, float64(r.at.Sub(began).Microseconds())/1000)
			}
		}
	}
	after, peak := s.usage()
	slices.Sort(took)
	return changed{p50: took[len(took)/2], p99: took[len(took)*99/100], cpu: (after - before) * 1000 / changeRounds, peak: peak}, nil
}

// receipt is when a client had what it waited for.
type receipt struct {
	at  time.Time
	err error
}

func next(got chan receipt) (receipt, error) {
	select {
	case r := <-got:
		return r, r.err
	case <-time.After(2 * time.Minute):
		return receipt{}, errors.New("a proxy did not get a change within two minutes")
	}
}

// follow is one proxy: it takes clusters and endpoints and acknowledges them. It
// tells when it has every endpoint for the first time, and each change after that.
func follow(ctx context.Context, authority *ca.Authority, address string, i int, got chan receipt) error {
	leaf, err := authority.Issue(fleet.client(i), time.Hour)
	if err != nil {
		return err
	}
	certificate, err := leaf.TLS()
	if err != nil {
		return err
	}
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
		RootCAs: authority.Pool(), Certificates: []tls.Certificate{certificate}})))
	if err != nil {
		return err
	}
	go func() { <-ctx.Done(); _ = conn.Close() }()
	stream, err := discovery.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(ctx)
	if err != nil {
		return err
	}
	node := &core.Node{Id: workload(fleet.client(i))}
	if err := stream.Send(&discovery.DeltaDiscoveryRequest{Node: node, TypeUrl: link.Cluster.URL()}); err != nil {
		return err
	}
	go func() {
		if err := take(stream, got); ctx.Err() == nil {
			got <- receipt{err: err}
		}
	}()
	return nil
}

// take receives until the stream ends, and says why it did.
func take(stream discovery.AggregatedDiscoveryService_DeltaAggregatedResourcesClient, got chan receipt) error {
	have := map[string]bool{}
	for {
		in, err := stream.Recv()
		if err != nil {
			return err
		}
		at := time.Now()
		if err := stream.Send(&discovery.DeltaDiscoveryRequest{TypeUrl: in.GetTypeUrl(), ResponseNonce: in.GetNonce()}); err != nil {
			return err
		}
		if in.GetTypeUrl() == link.Endpoint.URL() {
			had := len(have) == fleet.services
			for _, r := range in.GetResources() {
				have[r.GetName()] = true
			}
			if had || len(have) == fleet.services {
				got <- receipt{at: at}
			}
			continue
		}
		ask := &discovery.DeltaDiscoveryRequest{TypeUrl: link.Endpoint.URL()}
		for _, r := range in.GetResources() {
			if strings.HasPrefix(r.GetName(), "bench/") {
				ask.ResourceNamesSubscribe = append(ask.ResourceNamesSubscribe, r.GetName())
			}
		}
		if err := stream.Send(ask); err != nil {
			return err
		}
	}
}

// controlPlane is a child-serve.
type controlPlane struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Scanner
	address string
}

func startServer(kind, state string) (*controlPlane, error) {
	cmd := itself("child-serve", kind, state)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &controlPlane{cmd: cmd, in: in, out: bufio.NewScanner(out)}
	if s.address, err = s.line(); err != nil {
		s.stop()
	}
	return s, err
}

// stop closes its input, at which it ends.
func (s *controlPlane) stop() { _ = s.in.Close(); _ = s.cmd.Wait() }

func (s *controlPlane) line() (string, error) {
	if !s.out.Scan() {
		return "", errors.New("the server has ended")
	}
	return s.out.Text(), nil
}

func (s *controlPlane) ask(what string) (string, error) {
	if _, err := fmt.Fprintln(s.in, what); err != nil {
		return "", err
	}
	return s.line()
}

// change moves an endpoint and tells when the server began with it.
func (s *controlPlane) change() (time.Time, error) {
	line, err := s.ask("change")
	if err != nil {
		return time.Time{}, err
	}
	nano, err := strconv.ParseInt(line, 10, 64)
	return time.Unix(0, nano), err
}

// usage is processor time in seconds and peak memory in MiB so far.
func (s *controlPlane) usage() (cpu, peak float64) {
	line, _ := s.ask("usage")
	_, _ = fmt.Sscan(line, &cpu, &peak)
	return cpu, peak
}
