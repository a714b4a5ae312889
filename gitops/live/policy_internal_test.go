package live

import (
	"fmt"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/policies"
)

const square = `
apiVersion: v1
kind: Namespace
metadata: {name: square, labels: {meshc.dev/mesh: town}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: front, namespace: square}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: cart, namespace: square}
---
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: square}
spec: {selector: {app: cart}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: cart-v1, namespace: square}
spec: {selector: {app: cart, version: v1}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: cart-v2, namespace: square}
spec: {selector: {app: cart, version: v2}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: cart-1, namespace: square, labels: {app: cart, version: v1}}
spec: {serviceAccountName: cart, containers: [{name: c, image: c}]}
---
apiVersion: v1
kind: Pod
metadata: {name: cart-2, namespace: square, labels: {app: cart, version: v2}}
spec: {serviceAccountName: cart, containers: [{name: c, image: c}]}
---
apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata: {name: api, namespace: square}
spec: {matches: [{name: read, pathRegex: /api/.*, methods: [GET]}, {name: write, pathRegex: /api/.*, methods: [PUT]}]}
---
` + grant

const grant = `apiVersion: access.smi-spec.io/v1alpha4
kind: TrafficTarget
metadata: {name: shoppers, namespace: square}
spec:
  destination: {kind: ServiceAccount, name: cart}
  rules: [{kind: HTTPRouteGroup, name: api, matches: [read]}]
  sources: [{kind: ServiceAccount, name: front, namespace: square}]`

const half = `apiVersion: split.smi-spec.io/v1alpha4
kind: TrafficSplit
metadata: {name: NAME, namespace: square}
spec:
  service: cart
  backends: [{service: cart-v1, weight: 50}, {service: cart-v2, weight: 50}]`

// desk is a mesh of which objects are edited.
type desk struct {
	*policy
	t    *testing.T
	last outcome
}

func newDesk(t *testing.T) *desk {
	d := &desk{policy: newPolicy("town", compiler.Options{Stage: policies.Live, NoRules: true}), t: t}
	d.put(square)
	d.apply(edit{name: syntax.Name{Kind: meshKind, Name: "town"}, data: noMesh("town")})
	return d
}

func (d *desk) edits(manifest string) []edit {
	d.t.Helper()
	var out []edit
	for _, doc := range strings.Split(manifest, "\n---\n") {
		var o struct {
			Kind     string
			Metadata struct{ Name, Namespace string }
		}
		data, err := yaml.YAMLToJSON([]byte(doc))
		if err == nil {
			err = yaml.Unmarshal(data, &o)
		}
		if err != nil {
			d.t.Fatal(err)
		}
		out = append(out, edit{name: syntax.Name{Kind: o.Kind, Namespace: o.Metadata.Namespace, Name: o.Metadata.Name}, data: data})
	}
	return out
}

// put makes objects what the manifest says.
func (d *desk) put(manifest string) {
	d.t.Helper()
	d.last = d.apply(d.edits(manifest)...)
	if d.last.result.Plan == nil {
		d.t.Fatalf("there is no plan: %v", d.last.failed)
	}
}

func (d *desk) remove(kind, name string) {
	d.t.Helper()
	d.last = d.apply(edit{name: syntax.Name{Kind: kind, Namespace: "square", Name: name}})
}

// may tells what comes of the front asking the cart.
func (d *desk) may(method string) ir.Outcome {
	return ir.Decide(d.last.result.Mesh, ir.Request{
		From: ir.NewIdentity("cluster.local", "square", "front"), To: ir.PortID{Service: ir.ServiceID{Namespace: "square", Name: "cart"}, Port: 80},
		HTTP: &ir.HTTPRequest{Method: method, Path: "/api/carts"},
	}).Outcome
}

func (d *desk) found(kind, name string) string {
	var codes []string
	if o := d.objects[syntax.Name{Kind: kind, Namespace: "square", Name: name}]; o != nil {
		for _, f := range o.found {
			codes = append(codes, string(f.Code))
		}
	}
	return strings.Join(codes, " ")
}

func (d *desk) expect(what string, get, put ir.Outcome, code string) {
	d.t.Helper()
	if g, p := d.may("GET"), d.may("PUT"); g != get || p != put {
		d.t.Errorf("%s: GET %s, PUT %s", what, g, p)
	}
	if got := d.found("TrafficTarget", "shoppers"); got != code {
		d.t.Errorf("%s: found %q, want %q", what, got, code)
	}
}

var (
	wider   = strings.Replace(grant, "[read]", "[read, write]", 1)
	foreign = strings.Replace(wider, "name: cart}", "name: cart, namespace: elsewhere}", 1)
)

// A slip in a policy must neither take away what worked nor open what it says in
// passing: who made it has time to mend it.
func TestAFaultyObjectKeepsItsLastAcceptedForm(t *testing.T) {
	d := newDesk(t)
	d.expect("as it was written", ir.Allow, ir.Deny, "")
	d.put(foreign)
	d.expect("with an error", ir.Allow, ir.Deny, "MSH1007")
	d.put(strings.Replace(half, "NAME", "canary", 1))
	d.expect("while a neighbour changes", ir.Allow, ir.Deny, "MSH1007")
	if len(d.last.result.Mesh.Splits) != 1 {
		t.Error("a neighbour was not taken")
	}
	d.put(wider)
	d.expect("mended", ir.Allow, ir.Allow, "")
	d.put(foreign)
	d.remove("TrafficTarget", "shoppers")
	d.expect("deleted", ir.Deny, ir.Deny, "")
	d.put(foreign)
	d.expect("never accepted since it was deleted", ir.Deny, ir.Deny, "MSH1007")
}

// Of two that cannot both be in force the one that was there first stays.
func TestANewcomerDoesNotDriveOutWhatIsInForce(t *testing.T) {
	d := newDesk(t)
	d.put(strings.Replace(half, "NAME", "canary", 1))
	d.put(strings.Replace(half, "NAME", "abc", 1))
	if s := d.last.result.Mesh.Splits; len(s) != 1 || s[0].Name != "TrafficSplit/square/canary" {
		t.Errorf("in force: %+v", s)
	}
	if got := d.found("TrafficSplit", "abc"); got != "MSH2011" {
		t.Errorf("the newcomer is found with %q", got)
	}
	d.remove("TrafficSplit", "canary")
	if s := d.last.result.Mesh.Splits; len(s) != 1 || s[0].Name != "TrafficSplit/square/abc" || d.found("TrafficSplit", "abc") != "" {
		t.Errorf("once it is free: %+v", s)
	}
}

// A replica that starts anew has no memory: what the cluster remembers decides, so that
// all replicas serve the same.
func TestAReplicaThatStartsAnewAgreesWithTheOthers(t *testing.T) {
	canary, abc := strings.Replace(half, "NAME", "canary", 1), strings.Replace(half, "NAME", "abc", 1)
	d := newDesk(t)
	edits := append(d.edits(canary), d.edits(abc)...)
	edits[0].vouched = true
	target := d.edits(foreign)
	again := newPolicy("town", compiler.Options{Stage: policies.Live, NoRules: true})
	again.at(target[0].name).accepted = d.edits(grant)[0].data
	d.policy, d.last = again, again.apply(append(append(d.edits(square)[:9], edits...), target...)...)
	if d.last.result.Plan == nil {
		t.Fatalf("there is no plan: %v", d.last.failed)
	}
	d.expect("what was accepted last is in force", ir.Allow, ir.Deny, "MSH1007")
	if s := d.last.result.Mesh.Splits; len(s) != 1 || s[0].Name != "TrafficSplit/square/canary" {
		t.Errorf("in force: %+v", s)
	}
}

// Replicas may be told of two rivals in different orders. What the leader says is in
// force is so in all of them, or two proxies of one pod's replicas go different ways.
func TestReplicasToldInAnotherOrderAgree(t *testing.T) {
	canary, abc := strings.Replace(half, "NAME", "canary", 1), strings.Replace(half, "NAME", "abc", 1)
	for _, order := range [][2]string{{canary, abc}, {abc, canary}} {
		d := newDesk(t)
		d.put(order[0])
		d.put(order[1])
		said := d.edits(order[1])
		said[0].vouched = true
		d.last = d.apply(said...)
		if s := d.last.result.Mesh.Splits; len(s) != 1 || s[0].Name != "TrafficSplit/square/"+said[0].name.Name {
			t.Errorf("the cluster says %s, and in force: %+v", said[0].name.Name, s)
		}
		d.put(grant) // another change
		if s := d.last.result.Mesh.Splits; len(s) != 1 || s[0].Name != "TrafficSplit/square/"+said[0].name.Name {
			t.Errorf("after another change in force: %+v", s)
		}
	}
}

// Two that waited for the same to go must not keep each other out.
func TestOfTwoThatWaitOneComesIn(t *testing.T) {
	d := newDesk(t)
	for _, name := range []string{"canary", "b", "c"} {
		d.put(strings.Replace(half, "NAME", name, 1))
	}
	d.remove("TrafficSplit", "canary")
	if s := d.last.result.Mesh.Splits; len(s) != 1 || s[0].Name != "TrafficSplit/square/b" {
		t.Errorf("in force: %+v", s)
	}
}

// Who has hundreds of faulty objects must not make others wait for their changes: a
// change tries few of them, and what rests on it comes in all the same.
func TestManyFaultyObjectsDoNotHoldUpAChange(t *testing.T) {
	d := newDesk(t)
	var bad []string
	for i := range 100 {
		bad = append(bad, strings.Replace(foreign, "shoppers", fmt.Sprintf("bad-%d", i), 1))
	}
	d.put(strings.Join(bad, "\n---\n"))
	if len(d.waiting) < 100 {
		t.Fatalf("%d wait", len(d.waiting))
	}
	before := d.clock
	d.put(strings.Replace(half, "NAME", "canary", 1))
	if tries := d.clock - before - 1; tries > triesWithin {
		t.Errorf("a change tried %d", tries)
	}
	for n := 0; len(d.due(nil, triesAlone)) > 0; n++ {
		if n > 10 {
			t.Fatal("it is never done")
		}
		d.retry(d.due(nil, triesAlone))
	}
	for i := range 100 {
		if name := fmt.Sprintf("bad-%d", i); d.found("TrafficTarget", name) != "MSH1007" {
			t.Errorf("%s waits for %q", name, d.found("TrafficTarget", name))
		}
	}
}

// What runs cannot be refused, but it need not be in the mesh: a service that cannot
// be served closes itself, and takes nobody along.
func TestAFaultyServiceStopsNoNeighbour(t *testing.T) {
	d := newDesk(t)
	d.put(`apiVersion: v1
kind: Service
metadata: {name: odd, namespace: square}
spec: {selector: {app: cart}, ports: [{name: tcp-odd, port: 81, targetPort: 80}]}`)
	d.expect("beside a port that is HTTP and is not", ir.Allow, ir.Deny, "")
	if got := d.found("Service", "odd"); got != "MSH4003" {
		t.Errorf("the newcomer is found with %q", got)
	}
	d.put(wider)
	d.expect("and the neighbour goes on", ir.Allow, ir.Allow, "")
}
