package resolve_test

import (
	"strings"
	"testing"
)

const canary = `apiVersion: flagger.app/v1beta1
kind: Canary
metadata: {name: web, namespace: shop}
spec:
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  service: {name: front, port: 80, targetPort: http}
  analysis: {interval: 1m}
---
`

// Flagger's objects are policy's to refer to before Flagger has made them.
func TestFlaggerCanaryYieldsItsServicesAndPrimary(t *testing.T) {
	m := story{policy: canary + target(useGroup) + group(anyMatch)}.resolve(t)
	expectRoles(t, m, "client/client",
		"shop/web|shop/front-canary|shop/web 8080/http[shop/front-canary:80 shop/web:80] 9000/tcp[shop/web:9000]",
		"shop/web|shop/front|shop/front-primary 8080/http[shop/front:80 shop/front-primary:80]")
	expectGrants(t, m, "TrafficTarget/shop/t#rule0: client/client -> shop/web [shop/front:80,shop/front-canary:80,shop/front-primary:80,shop/web:80]")
	_, inv, _, _ := story{policy: canary}.run(t)
	var names []string
	for _, w := range inv.Workloads {
		names = append(names, w.Name)
	}
	if got := strings.Join(names, " "); got != "client web web-primary" {
		t.Errorf("the lab would run %s", got)
	}
}

func TestFlaggerMayPutTheRootAmongItsBackends(t *testing.T) {
	managed := strings.NewReplacer("name: s,", "name: front,", "service: web", "service: front").Replace(
		split("  - {service: front-canary, weight: 10}\n  - {service: front-primary, weight: 90}\n  - {service: front, weight: 0}"))
	m := story{policy: canary + managed}.resolve(t)
	expectSplits(t, m, "TrafficSplit/shop/front: shop/front front=0[80] front-canary=1[80] front-primary=9[80]")
}

func TestFlaggerTargetThatIsNotKnown(t *testing.T) {
	story{policy: strings.Replace(canary, "name: web}\n  service", "name: wbe}  # want MSH4017=wbe\n  service", 1)}.resolve(t)
}

const rollout = `apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: web, namespace: shop}
spec:
  workloadRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  strategy: {canary: {canaryService: web-canary, stableService: web, trafficRouting: {smi: {}}}}
---
apiVersion: v1
kind: Service
metadata: {name: web-canary, namespace: shop}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}, {name: tcp-raw, port: 9000}]}
---
`

// While a rollout runs, pods back the stable or the canary service only: each
// state must find its role.
func TestArgoRolloutHasARoleForEachState(t *testing.T) {
	m := story{policy: rollout}.resolve(t)
	expectRoles(t, m, "client/client",
		"shop/web|shop/web 8080/http[shop/web:80] 9000/tcp[shop/web:9000]",
		"shop/web|shop/web-canary 8080/http[shop/web-canary:80] 9000/tcp[shop/web-canary:9000]",
		"shop/web|shop/web|shop/web-canary 8080/http[shop/web:80 shop/web-canary:80] 9000/tcp[shop/web:9000 shop/web-canary:9000]")
}

func TestArgoRolloutsSplitMayNameItsRoot(t *testing.T) {
	m := story{policy: rollout + split("  - {service: web-canary, weight: 20}\n  - {service: web, weight: 80}")}.resolve(t)
	expectSplits(t, m, "TrafficSplit/shop/s: shop/web web=4[80 9000] web-canary=1[80 9000]")
}

func TestArgoRolloutWhoseWorkloadIsNotKnown(t *testing.T) {
	story{policy: strings.Replace(rollout, "kind: Deployment, name: web}", "kind: Deployment, name: wbe}  # want MSH4017=wbe", 1)}.resolve(t)
}

// A Service of the Canary's name exists already: it selects the target until
// Flagger turns it to the primary, and both states must find their roles.
func TestFlaggerTakesOverAService(t *testing.T) {
	m := story{policy: strings.Replace(canary, "name: front, ", "name: web, ", 1)}.resolve(t)
	expectRoles(t, m, "client/client",
		"shop/web|shop/web-canary 8080/http[shop/web-canary:80]",
		"shop/web|shop/web|shop/web-canary 8080/http[shop/web:80 shop/web-canary:80] 9000/tcp[shop/web:9000]",
		"shop/web|shop/web|shop/web-primary 8080/http[shop/web:80 shop/web-primary:80] 9000/tcp[shop/web:9000]")
}
