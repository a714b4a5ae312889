package lab

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/catalog/file"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/resolve"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/lab/caller"
	"github.com/meshc/meshc/lab/echo"
	"github.com/meshc/meshc/lab/pod"
)

const machinesExample = "../examples/06-virtual-machines"

// still is a catalog that nobody edits.
type still struct{ snap *catalog.Snapshot }

func (s still) Snapshot() *catalog.Snapshot { return s.snap }
func (still) Changed() <-chan struct{}      { return nil }
func (still) Err() error                    { return nil }

// machines is a lab of the example's machines.
func machines(t *testing.T) *Lab {
	t.Helper()
	if testing.Short() {
		t.Skip("runs real Envoys")
	}
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join(machinesExample, name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	tree, found, err := source.Load(source.Options{Paths: []string{machinesExample}})
	if err != nil || found.HasErrors() {
		t.Fatal(err, found)
	}
	known, found := resolve.ParseLock("meshc.lock", read("meshc.lock"))
	snap, faults := file.Parse("catalog.yaml", read("catalog.yaml"))
	if len(found)+len(faults) > 0 {
		t.Fatal(found, faults)
	}
	return up(t, Options{Tree: tree, Known: known, Catalog: still{snap}})
}

// ask sends one request for orders from a machine and tells which answered, by
// its pod's name, and the status.
func ask(t *testing.T, l *Lab, from, method string) (by string, status int) {
	t.Helper()
	p, err := l.Topology().Find(from)
	if err != nil {
		t.Fatal(err)
	}
	orders := ir.PortID{Service: ir.ServiceID{Namespace: "shop", Name: "orders"}, Port: 80}
	address := l.Address(orders)
	if p.Explicit != nil {
		address = p.dials(orders)
	}
	results, err := l.ground.send(p.ID(), caller.Batch{Requests: []caller.Request{
		{Address: address, Method: method, Path: "/orders", Timeout: 10 * time.Second},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return header(results[0], "X-Echo-Workload"), results[0].Status
}

// callers are who may read orders, by where they are: web and prices in Berlin,
// the latter through a port of its loopback; reports in the cloud.
var callers = map[string]string{"shop/web-1": berlin, "shop/prices-1": berlin, "cloud/reports-1": cloud}

const berlin, cloud = "shop/orders-1", "cloud/orders-1"

// refused holds that nobody gets through who may not. Once calls have settled
// the answer is 403; on the way there a call may fail before anybody judges it.
func refused(t *testing.T, l *Lab, settled bool) {
	t.Helper()
	for from, method := range map[string]string{"shop/backup-1": "GET", "cloud/reports-1": "POST", "shop/prices-1": "POST"} {
		if by, status := ask(t, l, from, method); by != "" || status == http.StatusOK || settled && status != http.StatusForbidden {
			t.Errorf("%s may not %s orders and is answered %d by %q", from, method, status, by)
		}
	}
}

// settled calls until a caller is answered from a place, and then holds that it
// always is. Calls that fail meanwhile are counted; none may be refused.
func settled(t *testing.T, l *Lab, from, want string) (failed int) {
	t.Helper()
	for deadline := time.Now().Add(40 * time.Second); ; {
		by, status := ask(t, l, from, "GET")
		if by == want {
			break
		}
		switch {
		case status == http.StatusForbidden:
			t.Fatalf("%s is refused while its calls move to %s", from, want)
		case time.Now().After(deadline):
			t.Fatalf("%s is still answered %d by %q, not by %s", from, status, by, want)
		case by == "":
			failed++
		}
	}
	for range 20 {
		if by, status := ask(t, l, from, "GET"); by != want {
			t.Fatalf("%s is answered %d by %q again, not by %s", from, status, by, want)
		}
	}
	return failed
}

// everywhere settles every caller and holds that the others stay refused.
func everywhere(t *testing.T, l *Lab, place func(near string) string, mayFail int) {
	t.Helper()
	for from, near := range callers {
		if n := settled(t, l, from, place(near)); n > mayFail {
			t.Errorf("%s failed %d times on the way to %s", from, n, place(near))
		}
		refused(t, l, false)
	}
	refused(t, l, true)
}

// tolerated is how many calls of one caller may fail before its proxy asks the
// other place: five, and what is on its way while it learns of the fifth.
const tolerated = 20

func near(place string) string { return place }

func inCloud(string) string { return cloud }

// TestLocalityFailsOver: callers stay in their own locality; when the machine
// there is marked, its program ends or its proxy dies, they go to the other, and
// come back. Who may not call may not all the while.
func TestLocalityFailsOver(t *testing.T) {
	l := machines(t)
	everywhere(t, l, near, 0)
	top := l.Topology()
	orders, err := top.Find(berlin)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("marked in the catalog", func(t *testing.T) {
		if err := l.SetCatalog(marked(top.catalog, berlin)); err != nil {
			t.Fatal(err)
		}
		everywhere(t, l, inCloud, 0)
		if err := l.SetCatalog(top.catalog); err != nil {
			t.Fatal(err)
		}
		everywhere(t, l, near, 0)
	})
	t.Run("its program ended", func(t *testing.T) {
		who := echo.Who{Workload: berlin, Pod: orders.Name, Account: orders.Identity.Short()}
		if err := l.ground.ask(berlin, pod.OpEcho, pod.Echo{Who: who}, nil); err != nil {
			t.Fatal(err)
		}
		everywhere(t, l, inCloud, tolerated)
		if err := l.ground.serve(orders); err != nil {
			t.Fatal(err)
		}
		everywhere(t, l, near, 0)
	})
	t.Run("its proxy died", func(t *testing.T) {
		if err := l.KillEnvoy(orders); err != nil {
			t.Fatal(err)
		}
		everywhere(t, l, inCloud, tolerated)
	})
}

// marked is a catalog with a workload's endpoints marked unhealthy.
func marked(snap *catalog.Snapshot, workload string) *catalog.Snapshot {
	out := *snap
	out.Services = slices.Clone(snap.Services)
	for i := range out.Services {
		s := &out.Services[i]
		s.Endpoints = slices.Clone(s.Endpoints)
		for j := range s.Endpoints {
			if s.Endpoints[j].Workload == workload {
				s.Endpoints[j].Health = catalog.Unhealthy
			}
		}
	}
	return &out
}
