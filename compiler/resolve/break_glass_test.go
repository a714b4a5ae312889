package resolve_test

import (
	"strings"
	"testing"
	"time"
)

// opening is a BreakGlass of shop by which client may call what TO says. In a build it
// is a fault, which every one of these stories tells.
func opening(to, until string) string {
	return strings.NewReplacer("TO", to, "UNTIL", until).Replace(`apiVersion: meshc.dev/v1alpha1
kind: BreakGlass
metadata: {name: now, namespace: shop, creationTimestamp: "2027-01-31T12:00:00Z"}
spec:
  from: client/client
  to: TO
  reason: INC-1
  by: alice
  until: UNTIL
---
`)
}

const (
	soon = `"2027-01-31T13:00:00Z"  # want MSH1101="2027-01-31T13:00:00Z"`
	lent = "BreakGlass/shop/now: client/client -> shop/web "
)

func TestABreakGlassOpensAServiceOrOneOfItsPorts(t *testing.T) {
	for to, ports := range map[string]string{"shop/web": "[shop/web:80,shop/web:9000]", "shop/web:80": "[shop/web:80]"} {
		m := story{policy: opening(to, soon)}.resolve(t)
		expectGrants(t, m, lent+ports+" anything")
		if end := m.Grants[0].Until; !end.Equal(time.Date(2027, 1, 31, 13, 0, 0, 0, time.UTC)) {
			t.Errorf("it ends at %s", end)
		}
	}
}

// Who calls the root of a split comes to its leaves: to open the root alone opens nothing.
func TestABreakGlassOpensTheLeavesOfASplit(t *testing.T) {
	leaves := `apiVersion: v1
kind: Service
metadata: {name: all, namespace: shop}
spec: {selector: {nobody: "true"}, ports: [{name: http, port: 80}]}
---
apiVersion: split.smi-spec.io/v1alpha4
kind: TrafficSplit
metadata: {name: all, namespace: shop}
spec: {service: all, backends: [{service: web, weight: 1}]}
---
`
	expectGrants(t, story{policy: leaves + opening("shop/all:80", soon)}.resolve(t), lent+"[shop/web:80] anything")
}

// What is over, too long, of others or of nothing opens nothing.
func TestABreakGlassThatOpensNothing(t *testing.T) {
	long := `"2027-01-31T16:02:00Z"  # want MSH1101="2027-01-31T16:02:00Z"; MSH1103="2027-01-31T16:02:00Z"`
	for name, s := range map[string]story{
		"its time is over":            {policy: opening("shop/web", soon), now: time.Date(2027, 1, 31, 13, 0, 0, 0, time.UTC)},
		"somebody ended it":           {policy: strings.Replace(opening("shop/web", soon), "  by: alice", "  by: alice\n  endedBy: bob", 1)},
		"the cluster says it is over": {policy: strings.Replace(opening("shop/web", soon), "spec:", "status: {endedAt: \"2027-01-31T12:30:00Z\"}\nspec:", 1)},
		"longer than four hours":      {policy: opening("shop/web", long)},
		"longer than the mesh lets":   {config: "  breakGlass: {longest: 30m}\n", policy: opening("shop/web", strings.Replace(soon, "MSH1101", `MSH1103="2027-01-31T13:00:00Z"; MSH1101`, 1))},
		"none is let":                 {config: "  breakGlass: {longest: 0s}\n", policy: opening("shop/web", strings.Replace(soon, "MSH1101", `MSH1103="2027-01-31T13:00:00Z"; MSH1101`, 1))},
		"of another namespace":        {policy: opening("client/web  # want MSH1102=client/web", soon)},
		"of an unknown service":       {policy: opening("shop/wep  # want MSH1104=shop/wep", soon)},
		"of an unknown port":          {policy: opening(`"shop/web:81"  # want MSH1104="shop/web:81"`, soon)},
		"for an unknown account":      {policy: strings.Replace(opening("shop/web", soon), "client/client", "client/klient  # want MSH1104=client/klient", 1)},
	} {
		t.Run(name, func(t *testing.T) { expectGrants(t, s.resolve(t)) })
	}
}

// A mesh cannot say that what is opened in an emergency stays for good.
func TestTheLongestBreakGlassIsBounded(t *testing.T) {
	m := story{config: "  breakGlass: {longest: 1000h}  # want MSH0302=1000h\n", policy: opening("shop/web:80", strings.ReplaceAll(soon, "2027-01-31", "2027-02-08")+`; MSH1103="2027-02-08T13:00:00Z"`)}.resolve(t)
	expectGrants(t, m)
}
