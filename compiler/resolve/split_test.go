package resolve_test

import (
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler/diag"
)

// stores are a root and two leaves, as in the bookstore; the client may call both.
const stores = apps + `---
apiVersion: v1
kind: Service
metadata: {name: v1, namespace: shop}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web2, namespace: shop}
spec:
  selector: {matchLabels: {app: web2}}
  template:
    metadata: {labels: {app: web2}}
    spec: {serviceAccountName: web2, containers: [{name: app, image: echo}]}
---
apiVersion: v1
kind: Service
metadata: {name: v2, namespace: shop}
spec: {selector: {app: web2}, ports: [{name: http, port: 80, targetPort: 8082}, {name: tcp-raw, port: 9000}]}
`

// split is a TrafficSplit v1alpha4 of shop with the root web.
func split(backends string, more ...string) string {
	return `apiVersion: split.smi-spec.io/v1alpha4
kind: TrafficSplit
metadata: {name: s, namespace: shop}
spec:
  service: web
` + strings.Join(more, "") + "  backends:\n" + backends + "\n---\n"
}

const (
	toV2   = "  - {service: v2, weight: 100}\n"
	split2 = "TrafficSplit/shop/s: shop/web v2=1[80 9000]"
)

func TestRow04WeightsOnlyMeanRatios(t *testing.T) {
	old := strings.Replace(split("  - {service: v2, weight: 500m}\n  - {service: web-v3, weight: \"0\"}  # want MSH2007=web-v3"), "v1alpha4", "v1alpha1", 1)
	expectSplits(t, story{shop: stores, policy: old}.resolve(t), "TrafficSplit/shop/s: shop/web v2=1[80 9000] web-v3(missing)=0[80 9000]")
	half := split("  - {service: v1, weight: 1000}  # want MSH2008=v1\n  - {service: v2, weight: 500}")
	expectSplits(t, story{shop: stores, policy: half}.resolve(t), "TrafficSplit/shop/s: shop/web v1=2[80] v2=1[80 9000]")
}

func TestRow04AllWeightsZero(t *testing.T) {
	m, _, _, found := story{shop: stores, policy: split("  - {service: v2, weight: 0}")}.run(t)
	only(t, found, "MSH2004")
	expectSplits(t, m, "")
}

func TestRow04WeightsThatProxiesCannotAdd(t *testing.T) {
	m := story{shop: stores, policy: split("  - {service: v2, weight: 4294967295}\n  - service: v9  # want MSH2006=v9\n    weight: 2  # want MSH2005=2")}.resolve(t)
	expectSplits(t, m, "")
}

func TestRow40FormsOfAServiceName(t *testing.T) {
	for _, form := range []string{"web", "web.shop", "web.shop.svc", "web.shop.svc.cluster.local"} {
		m := story{shop: stores, policy: strings.Replace(split(toV2), "service: web", "service: "+form, 1)}.resolve(t)
		expectSplits(t, m, split2)
	}
	for form, code := range map[string]string{"web.client": "MSH2002", "web.shop.svc.example.org": "MSH2001", "web.shop.cluster.local": "MSH2001"} {
		m := story{shop: stores, policy: strings.Replace(split(toV2), "service: web\n", "service: "+form+"  # want "+code+"="+form+"\n", 1)}.resolve(t)
		expectSplits(t, m, "")
	}
}

func TestRow42MissingBackend(t *testing.T) {
	m := story{shop: stores, policy: split(toV2 + "  - {service: v3, weight: 0}  # want MSH2007=v3")}.resolve(t)
	expectSplits(t, m, "TrafficSplit/shop/s: shop/web v2=1[80 9000] v3(missing)=0[80 9000]")
	m = story{shop: stores, policy: split(toV2 + "  - {service: v3, weight: 100}  # want MSH2006=v3")}.resolve(t)
	expectSplits(t, m, "TrafficSplit/shop/s: shop/web v2=1[80 9000] v3(missing)=1[80 9000]")
	for code, live := range map[diag.Code]diag.Severity{"MSH2006": diag.Warning, "MSH2007": diag.Warning} {
		if e, _ := diag.Lookup(code); e.Live != live {
			t.Errorf("%s is %s in a live mesh, where objects arrive in any order", code, e.Live)
		}
	}
}

func TestRow44MatchesOfASplit(t *testing.T) {
	firefox := group("  - {name: firefox, pathRegex: /a$, headers: [{user-agent: Firefox}]}\n  - {name: beta, pathRegex: /beta.*}\n")
	m := story{shop: stores, policy: split(toV2, "  matches: [{kind: HTTPRouteGroup, name: g}]  # want MSH2016\n") + firefox}.resolve(t)
	expectSplits(t, m, "TrafficSplit/shop/s: shop/web if /beta.* if /a$ user-agent:Firefox v2=1[80]")
	// Without its group a split with matches must not become one of all requests.
	m = story{shop: stores, policy: split(toV2, "  matches: [{kind: HTTPRouteGroup, name: absent}]  # want MSH2015=absent\n")}.resolve(t)
	expectSplits(t, m, "")
	m = story{shop: stores, policy: split(toV2, "  matches: [{kind: TCPRoute, name: r}]  # want MSH2014=TCPRoute\n")}.resolve(t)
	expectSplits(t, m, "")
}

func TestRow45PortsAreMatchedByNumber(t *testing.T) {
	m := story{shop: stores, policy: split("  - {service: v1, weight: 1}  # want MSH2008=v1\n  - {service: v2, weight: 1}")}.resolve(t)
	expectSplits(t, m, "TrafficSplit/shop/s: shop/web v1=1[80] v2=1[80 9000]")
	unlike := strings.Replace(stores, "{name: tcp-raw, port: 9000}]}\n", "{name: http-raw, port: 9000}]}\n", 1)
	m = story{shop: unlike, policy: strings.Replace(split("  - {service: v2, weight: 1}  # want MSH2008=v2"), "service: web\n", "service: web  # want MSH2008=web\n", 1)}.resolve(t)
	expectSplits(t, m, "TrafficSplit/shop/s: shop/web v2=1[80]")
}

func TestRow45APortWithOnlyZeroWeightsLeft(t *testing.T) {
	policy := strings.Replace(split("  - {service: v1, weight: 1}  # want MSH2008=v1\n  - {service: v2, weight: 0}"), "  backends:\n", "  backends:\n", 1)
	_, _, _, found := story{shop: stores, policy: policy}.run(t)
	if f := only(t, found, "MSH2004"); !strings.Contains(f.Message, "port 9000") {
		t.Errorf("the port whose calls would all get 503 is not named: %s", f.Message)
	}
}

func TestRow46RootAmongItsBackends(t *testing.T) {
	self := "  - {service: web, weight: 90}\n" + "  - {service: v2, weight: 10}"
	m := story{shop: stores, policy: split(strings.Replace(self, "90}", "90}  # want MSH2009=web", 1))}.resolve(t)
	expectSplits(t, m, "")
	want := "TrafficSplit/shop/s: shop/web v2=1[80 9000] web=9[80 9000]"
	allowed := strings.Replace(split(self), "namespace: shop}", `namespace: shop, annotations: {meshc.dev/allow-self: "true"}}`, 1)
	expectSplits(t, story{shop: stores, policy: allowed}.resolve(t), want)
	owned := strings.Replace(split(self), "namespace: shop}", "namespace: shop, ownerReferences: [{apiVersion: flagger.app/v1beta1, kind: Canary, name: web, uid: x}]}", 1)
	expectSplits(t, story{shop: stores, policy: owned}.resolve(t), want)
	stranger := strings.Replace(owned, "flagger.app/v1beta1", "example.org/v1", 1)
	_, _, _, found := story{shop: stores, policy: stranger}.run(t)
	only(t, found, "MSH2009")
}

func TestRow47NestedSplitsAndCycles(t *testing.T) {
	other := strings.NewReplacer("name: s,", "name: other,", "service: web\n", "service: v2\n").Replace(split("  - {service: v1, weight: 1}"))
	m := story{shop: stores, policy: split("  - {service: v2, weight: 1}  # want MSH2010=v2") + strings.Replace(other, "weight: 1}", "weight: 1}  # want MSH2008", 1)}
	_, _, _, found := m.run(t)
	if f := only(t, found, "MSH2010"); len(f.Related) != 1 {
		t.Errorf("the other end is missing: %+v", f)
	}
	cycle := strings.Replace(other, "service: v1", "service: web", 1)
	mesh, _, _, found := story{shop: stores, policy: split(toV2) + cycle}.run(t)
	if len(mesh.Splits) != 0 || !found.HasErrors() {
		t.Errorf("a cycle splits: %s", splits(mesh))
	}
}

func TestRow48TwoSplitsOfOneRoot(t *testing.T) {
	second := strings.Replace(split("  - {service: v2, weight: 1}"), "name: s,", "name: s2,", 1)
	rivals := strings.Replace(split(toV2)+second, "service: web\n", "service: web  # want MSH2011=web\n", 2)
	expectSplits(t, story{shop: stores, policy: rivals}.resolve(t), "")

	matched := strings.Replace(split(toV2, "  matches: [{kind: HTTPRouteGroup, name: g}]  # want MSH2016\n"), "name: s,", "name: a,", 1)
	rules := group("  - {name: beta, pathRegex: /beta.*}\n")
	m := story{shop: stores, policy: matched + second + rules}.resolve(t)
	expectSplits(t, m, "TrafficSplit/shop/a: shop/web if /beta.* v2=1[80]", "TrafficSplit/shop/s2: shop/web v2=1[80 9000]")

	hidden := strings.Replace(matched, "name: a,", "name: z,", 1)
	hidden = strings.Replace(hidden, "service: web\n", "service: web  # want MSH2012=web\n", 1)
	story{shop: stores, policy: hidden + second + rules}.resolve(t)
}

func TestRow49ClientOfSomeLeavesOnly(t *testing.T) {
	shop := strings.Replace(stores, ", {name: tcp-raw, port: 9000}", "", 2)
	one := target(useGroup) + group("  - {name: read, methods: [GET]}\n")
	both := "  - {service: v1, weight: 50}\n  - {service: v2, weight: 50}"
	story{shop: shop, policy: one + split(both+"  # want MSH2017=v2")}.resolve(t)
	t2 := strings.NewReplacer("name: t,", "name: t2,", "name: web}", "name: web2}").Replace(target(useGroup))
	story{shop: shop, policy: one + t2 + split(both)}.resolve(t)
	// The same leaf by another request: some calls are refused.
	write := strings.Replace(group("  - {name: write, methods: [POST]}\n"), "name: g,", "name: g2,", 1)
	story{shop: shop, policy: one + strings.Replace(t2, "name: g}", "name: g2}", 1) + write + split(both+"  # want MSH2017=v2")}.resolve(t)
	// A leaf of weight 0 gets no calls yet.
	story{shop: shop, policy: one + split("  - {service: v1, weight: 50}\n  - {service: v2, weight: 0}")}.resolve(t)
}

func TestRow51UnknownRoot(t *testing.T) {
	_, _, _, found := story{shop: stores, policy: strings.Replace(split(toV2), "service: web", "service: wbe", 1)}.run(t)
	f := only(t, found, "MSH2013")
	for _, part := range []string{"wbe"} {
		if !strings.Contains(f.Message, part) {
			t.Errorf("%q does not name %q", f.Message, part)
		}
	}
	if !strings.Contains(f.Help, "meshc lock --update") || !strings.Contains(f.Help, "assume") {
		t.Errorf("the help names no way out: %s", f.Help)
	}
}

func TestSplitBackendsAreNamedOnce(t *testing.T) {
	m := story{shop: stores, policy: split("  - {service: v2, weight: 1}\n  - {service: v2.shop, weight: 1}  # want MSH2003=v2.shop")}.resolve(t)
	expectSplits(t, m, "")
}

func TestSplitToALeafOutsideTheMesh(t *testing.T) {
	shop := strings.Replace(stores, "{labels: {app: web2}}", "{labels: {app: web2, meshc.dev/inject: disabled}}", 1)
	story{shop: shop, policy: split("  - {service: v2, weight: 100}  # want MSH2018=v2")}.resolve(t)
}

// A root that only names what its leaves do has no pods of its own, and loses no call.
func TestRow41TheRootOfASplitNeedsNoPods(t *testing.T) {
	none := "  selector: {app: none}\n"
	shop := strings.Replace(stores, "  selector: {app: web}\n", none, 1)
	expectSplits(t, story{shop: shop, policy: split(toV2)}.resolve(t), split2)
	// What no match names goes to the root itself.
	shop = strings.Replace(shop, none, "  selector: {app: none}  # want MSH4004={app: none}\n", 1)
	story{shop: shop, policy: split(toV2, "  matches: [{kind: HTTPRouteGroup, name: g}]  # want MSH2016=[{kind: HTTPRouteGroup, name: g}]\n") + group(anyMatch)}.resolve(t)
}
