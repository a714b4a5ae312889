package kube_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	core "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/catalog/file"
	"github.com/meshc/meshc/catalog/kube"
	"github.com/meshc/meshc/compiler/ir"
)

func pointer[T any](v T) *T { return &v }

// from reads an object as kubectl would show it.
func from[T any](t *testing.T, text string) *T {
	t.Helper()
	out := new(T)
	if err := yaml.UnmarshalStrict([]byte(text), out); err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	return out
}

func runs(name, ip string, more ...func(*core.Pod)) *core.Pod {
	p := &core.Pod{
		ObjectMeta: meta.ObjectMeta{Name: name, Namespace: "shop", Labels: map[string]string{"app": "cart", ir.LabelInjected: "true"}},
		Spec:       core.PodSpec{NodeName: "n1", ServiceAccountName: "cart"},
		Status:     core.PodStatus{Phase: core.PodRunning, PodIPs: []core.PodIP{{IP: ip}}},
	}
	for _, f := range more {
		f(p)
	}
	return p
}

func cart(more ...func(*core.Service)) *core.Service {
	s := &core.Service{
		ObjectMeta: meta.ObjectMeta{Name: "cart", Namespace: "shop"},
		Spec: core.ServiceSpec{
			ClusterIP: "10.96.0.1", ClusterIPs: []string{"10.96.0.1"}, Selector: map[string]string{"app": "cart"},
			Ports: []core.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromInt32(8080), Protocol: core.ProtocolTCP}},
		},
	}
	for _, f := range more {
		f(s)
	}
	return s
}

// slice is what the control plane of Kubernetes writes for the service cart.
func slice(port int32, endpoints ...discovery.Endpoint) *discovery.EndpointSlice {
	return &discovery.EndpointSlice{
		ObjectMeta:  meta.ObjectMeta{Name: "cart-x", Namespace: "shop", Labels: map[string]string{discovery.LabelServiceName: "cart"}},
		AddressType: discovery.AddressTypeIPv4,
		Ports:       []discovery.EndpointPort{{Name: pointer("http"), Port: &port, Protocol: pointer(core.ProtocolTCP)}},
		Endpoints:   endpoints,
	}
}

func at(pod, ip string, more ...func(*discovery.Endpoint)) discovery.Endpoint {
	e := discovery.Endpoint{Addresses: []string{ip}, TargetRef: &core.ObjectReference{Kind: "Pod", Namespace: "shop", Name: pod}}
	for _, f := range more {
		f(&e)
	}
	return e
}

func conditions(ready, serving, terminating bool) func(*discovery.Endpoint) {
	return func(e *discovery.Endpoint) {
		e.Conditions = discovery.EndpointConditions{Ready: &ready, Serving: &serving, Terminating: &terminating}
	}
}

var places = map[string]catalog.Locality{"n1": {Region: "eu", Zone: "eu-1"}, "n2": {Region: "eu", Zone: "eu-2"}}

func shop(services []*core.Service, pods []*core.Pod, of ...*discovery.EndpointSlice) *kube.Objects {
	return &kube.Objects{Name: "shop", Exists: true, Labels: map[string]string{ir.LabelMesh: "shop", "team": "x"},
		Services: services, Pods: pods, Slices: of, Accounts: []string{"default", "cart"}, Localities: places}
}

var rules = kube.Rules{Mesh: "shop"}

// snapshot also holds what is read against the form that is kept on disk: a
// control plane that starts without the API server must find the same.
func snapshot(t *testing.T, clusters ...kube.Cluster) *catalog.Snapshot {
	t.Helper()
	snap, problems := rules.Snapshot(clusters...)
	for _, p := range problems {
		t.Log(p)
	}
	if _, err := file.Marshal(snap); err != nil {
		t.Fatal(err)
	}
	return snap
}

func one(t *testing.T, o ...*kube.Objects) *catalog.Snapshot {
	t.Helper()
	var c kube.Cluster
	for _, o := range o {
		c.Parts = append(c.Parts, rules.Translate(o))
	}
	return snapshot(t, c)
}

var same = cmp.Options{cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})}

func TestAServiceWithItsPods(t *testing.T) {
	got := one(t, shop([]*core.Service{cart()}, []*core.Pod{runs("cart-1", "10.244.0.1"), runs("cart-2", "10.244.0.2", func(p *core.Pod) {
		p.Spec.NodeName, p.Labels = "n2", map[string]string{"app": "cart"}
	})}, slice(8080, at("cart-2", "10.244.0.2"), at("cart-1", "10.244.0.1"))))
	id := ir.ServiceID{Namespace: "shop", Name: "cart"}
	account := ir.NewIdentity("cluster.local", "shop", "cart")
	one, two := netip.MustParseAddr("10.244.0.1"), netip.MustParseAddr("10.244.0.2")
	want := &catalog.Snapshot{
		TrustDomain: "cluster.local",
		Services: []catalog.Service{{
			ID: id, VIPs: []netip.Addr{netip.MustParseAddr("10.96.0.1")}, Spread: true,
			Ports: []catalog.ServicePort{{Port: 80, Name: "http", Protocol: ir.HTTP, TargetPort: 8080}},
			Endpoints: []catalog.Endpoint{
				{Address: one, Workload: "shop/cart-1", Identity: account, Meshed: true, Locality: places["n1"]},
				{Address: two, Workload: "shop/cart-2", Identity: account, Locality: places["n2"]},
			},
		}},
		Workloads: []catalog.Workload{
			{Name: "shop/cart-1", Identity: account, Services: []ir.ServiceID{id}, Addresses: []netip.Addr{one}, Meshed: true, Locality: places["n1"]},
			{Name: "shop/cart-2", Identity: account, Services: []ir.ServiceID{id}, Addresses: []netip.Addr{two}, Locality: places["n2"]},
		},
		Accounts:   []ir.Identity{account, ir.NewIdentity("cluster.local", "shop", "default")},
		Namespaces: []catalog.Namespace{{Name: "shop", Labels: map[string]string{ir.LabelMesh: "shop"}}},
	}
	if diff := cmp.Diff(want, got, same); diff != "" {
		t.Error(diff)
	}
}

// An endpoint that ends must finish its calls, and one that is not ready must get none.
func TestConditionsBecomeHealth(t *testing.T) {
	for _, c := range []struct {
		ready, serving, terminating bool
		want                        []catalog.Health
	}{
		{true, true, false, []catalog.Health{catalog.Healthy}},
		{false, false, false, []catalog.Health{catalog.Unhealthy}},
		{false, true, true, []catalog.Health{catalog.Draining}},
		{true, true, true, []catalog.Health{catalog.Draining}}, // publishNotReadyAddresses
		{false, false, true, nil},
	} {
		got := one(t, shop([]*core.Service{cart()}, []*core.Pod{runs("cart-1", "10.244.0.1")},
			slice(8080, at("cart-1", "10.244.0.1", conditions(c.ready, c.serving, c.terminating)))))
		var health []catalog.Health
		for _, e := range got.Services[0].Endpoints {
			health = append(health, e.Health)
		}
		if !slices.Equal(health, c.want) {
			t.Errorf("%+v: %q", c, health)
		}
	}
}

// While a pod moves between slices it stands in two: it is one endpoint, in its better state.
func TestAnAddressInTwoSlicesIsOneEndpoint(t *testing.T) {
	got := one(t, shop([]*core.Service{cart()}, []*core.Pod{runs("cart-1", "10.244.0.1")},
		slice(8080, at("cart-1", "10.244.0.1", conditions(false, false, false))), slice(8080, at("cart-1", "10.244.0.1"))))
	if e := got.Services[0].Endpoints; len(e) != 1 || e[0].Health != catalog.Healthy {
		t.Errorf("%+v", e)
	}
}

func TestTargetPorts(t *testing.T) {
	named := cart(func(s *core.Service) { s.Spec.Ports[0].TargetPort = intstr.FromString("web") })
	port := func(n int32) func(*core.Pod) {
		return func(p *core.Pod) {
			p.Spec.Containers = []core.Container{{Ports: []core.ContainerPort{{Name: "web", ContainerPort: n}}}}
		}
	}
	pods := []*core.Pod{runs("cart-1", "10.244.0.1", port(8080)), runs("cart-2", "10.244.0.2", port(9090))}
	got := one(t, shop([]*core.Service{named}, pods, slice(8080, at("cart-1", "10.244.0.1")), slice(9090, at("cart-2", "10.244.0.2")))).Services[0]
	if got.Ports[0].TargetPort != 8080 || len(got.Endpoints[0].Ports) != 0 || got.Endpoints[1].Ports[80] != 9090 {
		t.Errorf("a named target port that differs between pods: %+v", got)
	}
	if before := one(t, shop([]*core.Service{named}, pods)).Services[0]; before.Ports[0].TargetPort != 8080 {
		t.Errorf("before there are endpoints, the pods say it: %+v", before.Ports)
	}
}

func TestHeadlessServicesAndStatefulSetNames(t *testing.T) {
	headless := cart(func(s *core.Service) {
		s.Spec.ClusterIP, s.Spec.ClusterIPs = core.ClusterIPNone, []string{core.ClusterIPNone}
	})
	got := one(t, shop([]*core.Service{headless}, []*core.Pod{runs("cart-0", "10.244.0.1")},
		slice(8080, at("cart-0", "10.244.0.1", func(e *discovery.Endpoint) { e.Hostname = pointer("cart-0") })))).Services[0]
	if !got.Headless || len(got.VIPs) != 0 || got.Endpoints[0].Hostname != "cart-0" {
		t.Errorf("%+v", got)
	}
}

// A proxy may connect before the slices know its pod: its role is known all the same.
func TestAPodsRoleIsKnownBeforeItsEndpoint(t *testing.T) {
	got := one(t, shop([]*core.Service{cart()}, []*core.Pod{runs("cart-1", "10.244.0.1")}))
	if w := got.Workloads[0]; len(w.Services) != 1 || w.Services[0].Name != "cart" {
		t.Errorf("%+v", w)
	}
}

// Whoever may write EndpointSlices in one namespace must not draw calls of others
// to themselves, nor speak for another's pod.
func TestAForgedSliceSaysNothing(t *testing.T) {
	other := shop(nil, []*core.Pod{runs("db-0", "10.244.0.9")})
	other.Name = "data"
	forged := []*discovery.EndpointSlice{
		slice(8080, at("cart-1", "192.0.2.66")),
		slice(8080, discovery.Endpoint{Addresses: []string{"10.244.0.9"}}),
		slice(8080, discovery.Endpoint{Addresses: []string{"10.96.0.1"}}),
		slice(8080, at("db-0", "10.244.0.9", func(e *discovery.Endpoint) { e.TargetRef.Namespace = "data" })),
	}
	for i, f := range forged {
		got := one(t, shop([]*core.Service{cart()}, []*core.Pod{runs("cart-1", "10.244.0.1")}, f), other)
		if e := got.Services[0].Endpoints; len(e) != 0 {
			t.Errorf("slice %d: %+v", i, e)
		}
	}
}

// What has ended gives its address to others.
func TestEndedPodsAreNoWorkloads(t *testing.T) {
	ended := runs("job-1", "10.244.0.1", func(p *core.Pod) { p.Status.Phase = core.PodSucceeded })
	got := one(t, shop([]*core.Service{cart()}, []*core.Pod{ended, runs("cart-1", "10.244.0.1")}, slice(8080, at("cart-1", "10.244.0.1"))))
	if len(got.Workloads) != 1 || len(got.Services[0].Endpoints) != 1 {
		t.Errorf("%+v", got)
	}
}

// Pods in the network of their node share its address and have no sidecar.
func TestPodsInTheNodesNetworkAreOutside(t *testing.T) {
	node := func(p *core.Pod) { p.Spec.HostNetwork = true }
	got := one(t, shop([]*core.Service{cart()}, []*core.Pod{runs("a", "192.0.2.1", node), runs("b", "192.0.2.1", node)},
		slice(8080, at("a", "192.0.2.1"), at("b", "192.0.2.1"))))
	if e := got.Services[0].Endpoints; len(e) != 1 || e[0].Meshed || e[0].Workload != "" {
		t.Errorf("%+v", e)
	}
	for _, w := range got.Workloads {
		if w.Meshed || len(w.Addresses) > 0 {
			t.Errorf("%+v", w)
		}
	}
}

// Kubernetes' DNS has port 53 twice; services that no proxy can carry are left out.
func TestServicesThatNoProxyCarries(t *testing.T) {
	dns := cart(func(s *core.Service) {
		s.Spec.Ports = []core.ServicePort{{Name: "dns", Port: 53, Protocol: core.ProtocolUDP}, {Name: "dns-tcp", Port: 53, Protocol: core.ProtocolTCP}}
	})
	external := from[core.Service](t, "metadata: {name: ext, namespace: shop}\nspec: {type: ExternalName, externalName: example.org}")
	portless := from[core.Service](t, "metadata: {name: none, namespace: shop}\nspec: {clusterIP: None}")
	got := one(t, shop([]*core.Service{dns, external, portless}, nil))
	if len(got.Services) != 1 || len(got.Services[0].Ports) != 1 || got.Services[0].Ports[0].Protocol == ir.UDP {
		t.Errorf("%+v", got.Services)
	}
}

// Before pods are restarted with sidecars, facts must say what they will be, and
// what is served what they are.
func TestFactsAreOfWhatIsIntended(t *testing.T) {
	plain := func(p *core.Pod) { delete(p.Labels, ir.LabelInjected) }
	off := func(p *core.Pod) { plain(p); p.Labels[ir.LabelInject] = "disabled" }
	of := func(r kube.Rules, ns map[string]string, pod *core.Pod) bool {
		o := shop(nil, []*core.Pod{pod})
		o.Labels, o.Annotations = ns, ns
		snap, _ := r.Snapshot(kube.Cluster{Parts: []*kube.Part{r.Translate(o)}})
		return snap.Workloads[0].Meshed
	}
	in, osm := map[string]string{ir.LabelMesh: "shop"}, map[string]string{"openservicemesh.io/monitored-by": "shop"}
	wish := map[string]string{"openservicemesh.io/monitored-by": "shop", "openservicemesh.io/sidecar-injection": "yes"}
	intended := kube.Rules{Mesh: "shop", Intended: true}
	saying := func(key, value string) func(*core.Pod) {
		return func(p *core.Pod) { plain(p); p.Annotations = map[string]string{key: value} }
	}
	for name, c := range map[string]struct{ got, want bool }{
		"served, not injected":  {of(rules, in, runs("a", "10.0.0.1", plain)), false},
		"intended":              {of(intended, in, runs("a", "10.0.0.1", plain)), true},
		"intended, OSM's label": {of(intended, osm, runs("a", "10.0.0.1", plain)), false},
		"intended, OSM's way":   {of(intended, wish, runs("a", "10.0.0.1", plain)), true},
		"intended, opted out":   {of(intended, in, runs("a", "10.0.0.1", off)), false},
		// As injection reads the two words, which see.
		"intended, our word unclear": {of(intended, in, runs("a", "10.0.0.1", saying(ir.LabelInject, "false"))), true},
		"intended, OSM's no":         {of(intended, in, runs("a", "10.0.0.1", saying("openservicemesh.io/sidecar-injection", "no"))), false},
		"intended, no namespace":     {of(intended, nil, runs("a", "10.0.0.1", plain)), false},
		"intended, another mesh":     {of(intended, map[string]string{ir.LabelMesh: "other"}, runs("a", "10.0.0.1", plain)), false},
		"served, another mesh's pod": {of(kube.Rules{Mesh: "other"}, in, runs("a", "10.0.0.1")), false},
	} {
		if c.got != c.want {
			t.Errorf("%s: meshed is %v", name, c.got)
		}
	}
}
