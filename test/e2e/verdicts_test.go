//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/lab/caller"
	"github.com/meshc/meshc/lab/echo"
	"github.com/meshc/meshc/test/cluster/app/load"
)

// row is a case of a verdict table.
type row struct {
	Name, From, To, Expect string
	HTTP                   *struct {
		Method, Path string
		Headers      map[string]string
	}
	Status int
	Split  map[string]int
}

func table(t *testing.T, path string) []row {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Spec struct{ Cases []row } }
	if err := yaml.UnmarshalStrict(text, &struct {
		APIVersion, Kind string
		Metadata         any
		Spec             any
	}{}); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	return file.Spec.Cases
}

// sigmas is how far a share may lie from what is expected.
const sigmas = 4

// The verdict table of the example holds for the pods of each identity.
func verdictsHold(t *testing.T) {
	for _, r := range table(t, example("verdicts.yaml")) {
		t.Run(strings.ReplaceAll(r.Name, " ", "_"), func(t *testing.T) { r.ask(t) })
	}
}

// ask asks as often as a split needs, or a few times.
func (r row) ask(t *testing.T) {
	n := 5
	if r.Split != nil {
		n = 1000
	}
	batch, err := json.Marshal(caller.Batch{Requests: slices.Repeat([]caller.Request{r.request(t)}, n), Parallel: 8})
	if err != nil {
		t.Fatal(err)
	}
	ns, target := r.client(t)
	var results []caller.Result
	if err := json.Unmarshal([]byte(inside(t, string(batch), ns, target, "app", "send")), &results); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"allow": "reached", "deny": "refused"}[r.Expect]
	kind := r.request(t).Kind
	shares := map[string]int{}
	for _, a := range results {
		is := load.Judge(kind, a)
		// A connection that is closed on who is not in the mesh says no more than that.
		if is == "broken" && want == "refused" && (r.From == "outside" || strings.HasPrefix(r.To, "external:")) {
			is = "refused"
		}
		if is != want || r.Status != 0 && a.Status != r.Status {
			t.Fatalf("%s from %s to %s: %s, with status %d: %s%s; want %s", r.Name, r.From, r.To, is, a.Status, a.Error, a.Body, want)
		}
		var answer echo.Answer
		if json.Unmarshal([]byte(a.Body), &answer) == nil {
			_, name, _ := strings.Cut(answer.Workload, "/")
			shares[name]++
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.Split)) {
		p := float64(r.Split[name]) / 100
		off := (float64(shares[name]) - p*float64(n)) / math.Sqrt(float64(n)*p*(1-p))
		t.Logf("%s answered %d of %d, %.1f sigma from %d%%", name, shares[name], n, off, r.Split[name])
		if math.Abs(off) > sigmas {
			t.Errorf("%s answered %d of %d, %.1f sigma from %d%%", name, shares[name], n, off, r.Split[name])
		}
	}
}

// client is the namespace and the workload that a row is asked from: the one of its
// account, or a pod without a proxy.
func (r row) client(t *testing.T) (ns, target string) {
	t.Helper()
	if r.From == "outside" {
		return outsider(t)
	}
	ns, account, _ := strings.Cut(r.From, "/")
	for _, kind := range []string{"deployment", "statefulset"} {
		for _, line := range strings.Fields(kubectl(t, "", "-n", ns, "get", kind, "-o", `jsonpath={range .items[*]}{.metadata.name}={.spec.template.spec.serviceAccountName}{"\n"}{end}`)) {
			if name, of, _ := strings.Cut(line, "="); of == account {
				return ns, kind + "/" + name
			}
		}
	}
	t.Fatalf("nobody runs as %s", r.From)
	return "", ""
}

// request is what a row asks, by the name that an application would use.
func (r row) request(t *testing.T) caller.Request {
	t.Helper()
	var q caller.Request
	if host, is := strings.CutPrefix(r.To, "external:"); is {
		q.Address = host
	} else {
		service, port, _ := strings.Cut(r.To, ":")
		ns, name, _ := strings.Cut(service, "/")
		q.Address = net.JoinHostPort(name+"."+ns+".svc.cluster.local", port)
	}
	if r.HTTP == nil {
		q.Kind = caller.ServerFirst
		return q
	}
	q.Method, q.Path = r.HTTP.Method, r.HTTP.Path
	q.Headers = []ir.Header{{Name: "host", Value: q.Address}, {Name: "connection", Value: "close"}}
	for _, name := range slices.Sorted(maps.Keys(r.HTTP.Headers)) {
		q.Headers = append(q.Headers, ir.Header{Name: name, Value: r.HTTP.Headers[name]})
	}
	return q
}

// outsider is a pod outside of the mesh, which ends with the test.
func outsider(t *testing.T) (ns, target string) {
	t.Helper()
	const name = "outsider"
	kubectl(t, fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata: {name: %s, namespace: default}
spec: {terminationGracePeriodSeconds: 1, containers: [{name: app, image: meshc.test/app:1, args: [wait]}]}
`, name), "apply", "-f", "-")
	t.Cleanup(func() { kubectl(t, "", "delete", "pod", name, "-n", "default") })
	kubectl(t, "", "-n", "default", "wait", "--for=condition=Ready", "pod/"+name, "--timeout=3m")
	return "default", "pod/" + name
}

// bookstore deploys the example and its policy.
func bookstore(t *testing.T) {
	t.Helper()
	names := []string{"bookbuyer", "bookstore", "bookthief", "bookwarehouse"}
	namespaces(t, names...)
	for _, folder := range []string{"apps", "policy", "canary"} {
		kubectl(t, "", "apply", "-f", filepath.Join(example(), folder))
	}
	pods(t, names...)
}
