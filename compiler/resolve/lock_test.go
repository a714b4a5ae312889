package resolve_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/resolve"
)

const wholeLock = `# meshc.lock v1
# from: file catalog.yaml
# by: meshc 0.1.0
# at: 2026-01-02T03:04:05Z
absent account bank/robber
absent namespace nowhere
absent service bank/vault
account bank/legacy outside
account bank/teller
namespace bank label=a:1 label=meshc.dev/mesh:bank
role bank/ledger service=bank/a service=bank/b
service bank/a headless account=bank/ledger account=spiffe://cluster.local/ns/bank/sa/x port=53 port=53/UDP,name=dns port=80,name=http,app=grpc,target=web port=443,target=8443
service bank/old outside account=bank/legacy port=80
`

func TestLockReadsAsItIsWritten(t *testing.T) {
	known := lock(t, wholeLock)
	if got := string(resolve.PrintLock(known)); got != wholeLock {
		t.Errorf("a lock changes when it is read and written:\n%s", got)
	}
	if known.Header != (ir.LockHeader{From: "file catalog.yaml", By: "meshc 0.1.0", At: "2026-01-02T03:04:05Z"}) {
		t.Errorf("header %+v", known.Header)
	}
	a := known.Facts[7]
	if a.At.Line != 12 || !a.Headless || len(a.Accounts) != 2 || len(a.Ports) != 4 || a.Ports[2].TargetName != "web" || a.Ports[3].TargetPort != 8443 {
		t.Errorf("%+v", a)
	}
}

func TestLockIsSortedWhateverTheOrderOfFacts(t *testing.T) {
	known := lock(t, wholeLock)
	for i, j := 0, len(known.Facts)-1; i < j; i, j = i+1, j-1 {
		known.Facts[i], known.Facts[j] = known.Facts[j], known.Facts[i]
	}
	known.Facts = append(known.Facts, known.Facts[0])
	if got := string(resolve.PrintLock(known)); got != wholeLock {
		t.Errorf("merges would not be clean:\n%s", got)
	}
}

func TestLockLinesThatPinNothing(t *testing.T) {
	for _, line := range []string{
		"<<<<<<< ours", "service", "service bank", "service bank/a port=http", "service bank/a port=0", "service bank/a port=80,color=red",
		"service bank/a port=80,name=", "service bank/a service=bank/b", "account bank/a port=80", "absent", "absent role bank/a",
		"absent service bank/a headless", "namespace bank/a", "namespace bank label=x", "role bank/a service=b", "service bank/a account=ledger", "service bank/a headless=yes",
	} {
		known, found := resolve.ParseLock("meshc.lock", []byte("# meshc.lock v1\n"+line+"\naccount bank/teller\n"))
		if len(known.Facts) != 1 || len(found) != 1 || found[0].Code != "MSH0201" || found[0].At().Line != 2 || found[0].At().EndCol != len(line)+1 {
			t.Errorf("%q: %+v %+v", line, known.Facts, found)
		}
	}
	if _, found := resolve.ParseLock("meshc.lock", []byte("# meshc.lock v2\n")); len(found) != 1 {
		t.Error("a lock of another form is read as if it were this one")
	}
}

func TestLockSaysTwoThingsOfOne(t *testing.T) {
	known, found := resolve.ParseLock("meshc.lock", []byte("account bank/teller\nabsent account bank/teller\r\n"))
	if len(known.Facts) != 1 || len(found) != 1 || found[0].Code != "MSH0202" || len(found[0].Related) != 1 || found[0].Related[0].Line != 1 {
		t.Errorf("%+v %+v", known.Facts, found)
	}
}

// A policy repository that is given the facts of the applications' repository
// must mean what both mean together.
func TestFactsOfATreeStandForIt(t *testing.T) {
	policy := target(useGroup) + group("  - {name: read, methods: [GET]}\n") + split("  - {service: v2, weight: 1}") // of stores
	whole, _, _, _ := story{shop: stores, policy: policy}.run(t)
	m, inv, _, _ := story{shop: stores}.run(t)
	text := resolve.PrintLock(ir.Known{Facts: resolve.FactsOf(m, inv)})
	known := lock(t, string(text))
	apart, _, _, found := story{shop: "# nothing\n", policy: policy, known: known}.run(t)
	for _, f := range found {
		if f.Code != "MSH2017" { // the same in both
			t.Errorf("%s %s", f.Code, f.Message)
		}
	}
	if !reflect.DeepEqual(whole.Grants, apart.Grants) || !reflect.DeepEqual(whole.Splits, apart.Splits) {
		t.Errorf("apart it means\n%s\n%s", grants(apart), splits(apart))
	}
	if strings.Contains(string(text), "10.") {
		t.Error("addresses do not belong into a lock")
	}
}

// A source outside the mesh gets its warning when only the lock shows it, too,
// and namespaces that the applications' repository has are not said to be absent.
func TestFactsTellOfNamespacesAndOfWhoIsOutside(t *testing.T) {
	shop := strings.NewReplacer("{labels: {app: client}}", "{labels: {app: client, meshc.dev/inject: disabled}}",
		"metadata: {name: shop}", "metadata: {name: shop, labels: {team: blue, meshc.dev/inject: enabled}}").Replace(apps)
	m, inv, _, _ := story{shop: shop}.run(t)
	text := string(resolve.PrintLock(ir.Known{Facts: resolve.FactsOf(m, inv)}))
	for _, line := range []string{"account client/client outside", "account client/default", "account shop/web", "namespace client", "namespace shop label=meshc.dev/inject:enabled"} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("the lock lacks %q:\n%s", line, text)
		}
	}
	policy := strings.Replace(target(useTCP), "namespace: client}]", "namespace: client}]  # want MSH3011=client", 1) + tcpRoute("[80]")
	story{shop: "# nothing\n", policy: policy, known: lock(t, text)}.resolve(t)
}
