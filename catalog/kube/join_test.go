package kube_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	core "k8s.io/api/core/v1"

	"github.com/meshc/meshc/catalog/kube"
)

func cluster(name string, o ...*kube.Objects) kube.Cluster {
	c := kube.Cluster{Name: name}
	for _, o := range o {
		c.Parts = append(c.Parts, rules.Translate(o))
	}
	return c
}

// A service of one namespace and name in two clusters has the endpoints of both.
func TestClustersAreJoinedByName(t *testing.T) {
	here := cluster("", shop([]*core.Service{cart()}, []*core.Pod{runs("cart-0", "10.244.0.1")}, slice(8080, at("cart-0", "10.244.0.1"))))
	there := cluster("east", shop([]*core.Service{cart()}, []*core.Pod{runs("cart-0", "10.245.0.1")}, slice(9090, at("cart-0", "10.245.0.1"))))
	got := snapshot(t, here, there)
	e := got.Services[0].Endpoints
	if len(got.Services) != 1 || len(e) != 2 || e[0].Workload != "shop/cart-0" || e[1].Workload != "shop/cart-0.east" || e[1].Ports[80] != 9090 || !e[1].Meshed {
		t.Fatalf("%+v", got.Services)
	}
	if len(got.Workloads) != 2 || got.Workloads[1].Name != "shop/cart-0.east" {
		t.Errorf("%+v", got.Workloads)
	}
}

// Called at an address that two have, the policy of the wrong one would judge.
func TestAClustersOwnAddressesGoFirst(t *testing.T) {
	here := cluster("", shop([]*core.Service{cart()}, []*core.Pod{runs("cart-0", "10.244.0.1")}, slice(8080, at("cart-0", "10.244.0.1"))))
	there := cluster("east", shop([]*core.Service{cart()}, []*core.Pod{runs("cart-9", "10.244.0.1")}, slice(8080, at("cart-9", "10.244.0.1"))))
	got, problems := rules.Snapshot(here, there)
	if e := got.Services[0].Endpoints; len(e) != 1 || e[0].Workload != "shop/cart-0" {
		t.Errorf("%+v", e)
	}
	if len(problems) == 0 {
		t.Error("nobody is told")
	}
}

// A port that is HTTP here and raw TCP there cannot be one cluster's endpoints.
func TestEndpointsOfAnotherProtocolStayOut(t *testing.T) {
	other := cart(func(s *core.Service) { s.Spec.Ports[0].AppProtocol = pointer("tcp") })
	there := cluster("east", shop([]*core.Service{other}, []*core.Pod{runs("cart-9", "10.245.0.1")}, slice(8080, at("cart-9", "10.245.0.1"))))
	got, problems := rules.Snapshot(cluster("", shop([]*core.Service{cart()}, nil)), there)
	if len(got.Services[0].Endpoints) != 0 || len(problems) != 1 {
		t.Errorf("%+v %q", got.Services[0].Endpoints, problems)
	}
}

// The order in which API servers tell their objects changes nothing.
func TestOrderChangesNothing(t *testing.T) {
	pods := []*core.Pod{runs("cart-0", "10.244.0.1"), runs("cart-1", "10.244.0.2"), runs("cart-2", "10.244.0.3")}
	s := slice(8080, at("cart-0", "10.244.0.1"), at("cart-1", "10.244.0.2"), at("cart-2", "10.244.0.3"))
	want := snapshot(t, cluster("", shop([]*core.Service{cart()}, pods, s)))
	for range 20 {
		slices.Reverse(pods)
		slices.Reverse(s.Endpoints)
		pods[0], pods[1] = pods[1], pods[0]
		equal(t, want, snapshot(t, cluster("", shop([]*core.Service{cart()}, slices.Clone(pods), s))))
	}
}

func equal(t *testing.T, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got, same); diff != "" {
		t.Error(diff)
	}
}
