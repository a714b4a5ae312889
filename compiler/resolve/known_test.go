package resolve_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/resolve"
)

// elsewhere is a target for workloads of another repository.
const elsewhere = `apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: t, namespace: bank}
spec:
  destination: {kind: ServiceAccount, name: ledger}
  sources: [{kind: ServiceAccount, name: teller, namespace: bank}]
  rules: [{kind: TCPRoute, name: r}]
---
apiVersion: specs.smi-spec.io/v1alpha4
kind: TCPRoute
metadata: {name: r, namespace: bank}
spec: {matches: {ports: []}}
`

const ledgerLock = `# meshc.lock v1
# from: catalog.yaml
# at: 2026-01-02T03:04:05Z
account bank/teller
service bank/ledger account=bank/ledger port=443,name=tcp-db,target=8443
service bank/other account=bank/other port=80,name=http
`

func lock(t *testing.T, text string) ir.Known {
	t.Helper()
	known, found := resolve.ParseLock("meshc.lock", []byte(text))
	if len(found) > 0 {
		t.Fatal(found)
	}
	return known
}

func TestRow51UnknownAccountsAreErrorsThatNameTheWaysOut(t *testing.T) {
	policy := strings.NewReplacer("name: ledger}", "name: ledger}  # want MSH3001=ledger", "namespace: bank}]", "namespace: bank}]  # want MSH3001=teller").Replace(elsewhere)
	expectGrants(t, story{policy: policy}.resolve(t), "")
	_, _, used, found := story{policy: elsewhere}.run(t)
	for _, f := range found {
		if f.Code == "MSH3001" && (!strings.Contains(f.Help, "meshc lock --update") || !strings.Contains(f.Help, "`assume`")) {
			t.Errorf("the help names no way out: %s", f.Help)
		}
	}
	if got := titles(used.Unknown); !slices.Contains(got, "account bank/teller") || !slices.Contains(got, "account bank/ledger") {
		t.Errorf("an export could not tell the lock that these are absent: %v", got)
	}
}

func titles(facts []ir.Fact) []string {
	var out []string
	for _, f := range facts {
		kind := f.Kind
		if kind == "absent" {
			kind = f.Of
		}
		out = append(out, strings.TrimPrefix(kind+" "+f.Namespace+"/"+f.Name, "/"))
	}
	return out
}

func TestRow51TheLockKnows(t *testing.T) {
	s := story{policy: elsewhere, known: lock(t, ledgerLock)}
	m := s.resolve(t)
	expectGrants(t, m, "TrafficTarget/bank/t#rule0: bank/teller -> bank/ledger [bank/ledger:443] anything")
	// What runs as these accounts elsewhere may be a client only.
	expectRoles(t, m, "bank/ledger", "bank/ledger|bank/ledger 8443/tcp[bank/ledger:443]", "bank/teller", "client/client", webRole)
	if _, ok := m.Service(ir.ServiceID{Namespace: "bank", Name: "other"}); ok {
		t.Error("a fact that nothing rests on is in the mesh: any change of it would change the digest")
	}
	if o := m.Origins["Service/bank/ledger"]; o.File != "meshc.lock" || o.Line != 5 {
		t.Errorf("the origin is not the lock's line: %+v", o)
	}
	_, _, used, _ := s.run(t)
	if got := strings.Join(titles(used.Facts), ", "); got != "account bank/teller, service bank/ledger" {
		t.Errorf("the lock must hold %s", got)
	}
}

func TestPermissiveNeedsAllServicesOfANamespace(t *testing.T) {
	m := story{config: "  namespaces: {bank: {mode: permissive}}\n", policy: elsewhere, known: lock(t, ledgerLock+"namespace bank\n")}.resolve(t)
	service(t, m, "bank", "other")
}

func TestAssumptionsComeAfterTheLockAndEnd(t *testing.T) {
	assume := "  assume:\n  - account: bank/teller\n    until: 2030-01-31\n  - {service: bank/ledger, accounts: [bank/ledger], ports: [8443], until: \"2030-01-31\"}\n"
	s := story{config: assume, policy: elsewhere, now: time.Date(2030, 1, 31, 23, 0, 0, 0, time.UTC)}
	http := "TrafficTarget/bank/t#rule0: bank/teller -> bank/ledger [bank/ledger:8443] anything"
	m, _, used, _ := s.run(t)
	expectGrants(t, m, http)
	if len(used.Facts) > 0 {
		t.Errorf("assumptions do not belong into the lock: %v", used.Facts)
	}
	s.now = s.now.AddDate(0, 0, 1)
	_, _, _, found := s.run(t)
	n := 0
	for _, f := range found {
		if f.Code == "MSH0204" {
			n++
		}
	}
	if n != 2 || !found.HasErrors() {
		t.Errorf("%d of 2 ended assumptions are found", n)
	}
	s.known = lock(t, ledgerLock)
	m, _, _, _ = s.run(t)
	expectGrants(t, m, strings.Replace(http, "8443", "443", 1))
}

func TestAssumptionWithoutAnEnd(t *testing.T) {
	_, _, _, found := story{config: "  assume:\n  - account: bank/teller\n"}.run(t)
	only(t, found, "MSH0205")
}

func TestTreeGoesBeforeTheLock(t *testing.T) {
	known := lock(t, "service shop/web account=shop/other port=80,name=http,target=8080 port=9000,name=tcp-raw\n")
	m, _, used, found := story{known: known}.run(t)
	if f := only(t, found, "MSH0203"); f.At().File != "meshc.lock" || len(f.Related) != 1 {
		t.Errorf("the contradiction does not stand at the lock's line: %+v", f)
	}
	if s := service(t, m, "shop", "web"); len(s.Accounts) != 1 || s.Accounts[0].Short() != "shop/web" {
		t.Errorf("the lock's accounts are believed: %v", s.Accounts)
	}
	if len(used.Facts) > 0 {
		t.Errorf("nothing rests on the lock: %v", used.Facts)
	}
	_, _, _, found = story{known: lock(t, "service shop/web account=shop/web port=80,app=tcp,target=8080 port=9001\n")}.run(t)
	if len(found) != 2 {
		t.Errorf("the unlike protocol and the lacking port are not both told: %v", found)
	}
}

func TestAccountsBehindAServiceOfTheTreeComeFromTheLock(t *testing.T) {
	shop := strings.Replace(apps, "  selector: {app: web}\n", "  selector: {app: vm}\n", 1)
	m := story{shop: shop, known: lock(t, "service shop/web account=shop/vm outside port=80,name=http,target=8080 port=9000,name=tcp-raw\n")}.resolve(t)
	if !service(t, m, "shop", "web").Outside {
		t.Error("known workloads outside the mesh make the service outside")
	}
	m = story{shop: shop, known: lock(t, "service shop/web account=shop/vm account=shop/vm2 port=80,name=http,target=8080 port=9000,name=tcp-raw\n")}.resolve(t)
	if s := service(t, m, "shop", "web"); len(s.Accounts) != 2 {
		t.Errorf("the whole set is not taken: %v", s.Accounts)
	}
}

func TestRolesOfKnownAccounts(t *testing.T) {
	facts := "account bank/teller\nservice bank/a account=bank/ledger port=80,name=http\nservice bank/b account=bank/ledger port=81,name=http,target=80\n"
	m := story{policy: elsewhere, known: lock(t, facts)}.resolve(t)
	expectRoles(t, m,
		"bank/ledger",
		"bank/ledger|bank/a 80/http[bank/a:80]",
		"bank/ledger|bank/a|bank/b 80/http[bank/a:80 bank/b:81]",
		"bank/ledger|bank/b 80/http[bank/b:81]",
		"bank/teller", "client/client", webRole)
	m = story{policy: elsewhere, known: lock(t, facts+"role bank/ledger service=bank/a service=bank/b\n")}.resolve(t)
	expectRoles(t, m, "bank/ledger", "bank/ledger|bank/a|bank/b 80/http[bank/a:80 bank/b:81]", "bank/teller", "client/client", webRole)
}

func TestNamespaceLabelsFromTheLock(t *testing.T) {
	shop := strings.Replace(apps, "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\n", "", 1)
	m := story{shop: shop, known: lock(t, "namespace shop label=meshc.dev/inject:disabled\n")}.resolve(t)
	expectRoles(t, m, "client/client")
	_, _, used, _ := story{shop: shop}.run(t)
	if got := titles(used.Unknown); !slices.Equal(got, []string{"namespace /shop"}) {
		t.Errorf("the labels were taken for none without asking: %v", got)
	}
}

func TestAbsencesOfTheLockAreRead(t *testing.T) {
	s := story{shop: stores, policy: split(toV2 + "  - {service: v3, weight: 0}  # want MSH2007=v3"), known: lock(t, "absent service shop/v3\n")}
	s.resolve(t)
	_, _, used, _ := s.run(t)
	if got := titles(used.Facts); !slices.Equal(got, []string{"service shop/v3"}) || used.Facts[0].Kind != "absent" {
		t.Errorf("the lock must keep the absence that the policy rests on: %v", used.Facts)
	}
}

func TestDefaultAccountExistsInEveryNamespace(t *testing.T) {
	policy := strings.Replace(target(useTCP), "name: client, namespace: client", "name: default, namespace: client", 1)
	m := story{policy: policy + tcpRoute("[80]")}.resolve(t)
	expectGrants(t, m, "TrafficTarget/shop/t#rule0: client/default -> shop/web [shop/web:80] anything")
	if !slices.Contains(m.Identities, "spiffe://cluster.local/ns/client/sa/default") {
		t.Error("a granted identity is not among the mesh's")
	}
}

// A machine that only calls, and of which no policy speaks, still has a place in
// the mesh if it runs in one of the tree's namespaces: else its proxy would be
// refused, not only its calls.
func TestClientsOfOwnNamespacesAreInTheMesh(t *testing.T) {
	known := lock(t, ledgerLock+"account bank/backup\nrole bank/backup\naccount elsewhere/cron\nrole elsewhere/cron\naccount bank/printer outside\nrole bank/printer\n")
	mesh, _, used, _ := story{policy: elsewhere, known: known}.run(t)
	var ids []string
	for _, id := range mesh.Identities {
		ids = append(ids, id.Short())
	}
	if want := []string{"bank/backup", "bank/ledger", "bank/teller", "client/client", "shop/web"}; !slices.Equal(ids, want) {
		t.Errorf("the mesh has %v, want %v", ids, want)
	}
	if got := titles(used.Facts); !slices.Contains(got, "role bank/backup") || slices.Contains(got, "role elsewhere/cron") {
		t.Errorf("the lock pins %v", got)
	}
}
