package contract_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler/contract"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/resolve"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
)

// policy lies in a repository of its own: of the applications it knows the lock.
var policy = map[string][]byte{
	"meshc.yaml": []byte(`apiVersion: meshc.dev/v1alpha1
kind: Mesh
metadata: {name: books}
spec: {namespaces: {legacy: {mode: permissive}}}
`),
	"access.yaml": []byte(`apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: buyers, namespace: store}
spec:
  destination: {kind: ServiceAccount, name: v1}
  sources:
  - {kind: ServiceAccount, name: buyer, namespace: buyer}
  rules:
  - {kind: HTTPRouteGroup, name: books}
---
apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata: {name: books, namespace: store}
spec: {matches: [{name: list, pathRegex: /books, methods: [GET]}]}
---
apiVersion: access.smi-spec.io/v1alpha4
kind: TrafficTarget
metadata: {name: database, namespace: store}
spec:
  destination: {kind: ServiceAccount, name: db}
  sources:
  - {kind: IdentityBinding, group: access.smi-spec.io, name: shop, namespace: store}
  rules:
  - {kind: TCPRoute, name: postgres}
---
apiVersion: specs.smi-spec.io/v1alpha4
kind: TCPRoute
metadata: {name: postgres, namespace: store}
spec: {matches: {ports: [5432]}}
---
apiVersion: access.smi-spec.io/v1alpha4
kind: IdentityBinding
metadata: {name: shop, namespace: store}
spec: {schemes: {serviceAccount: v1}}
`),
	"split.yaml": []byte(`apiVersion: split.smi-spec.io/v1alpha4
kind: TrafficSplit
metadata: {name: canary, namespace: store}
spec:
  service: store
  backends:
  - {service: store-v1, weight: 90}
  - {service: store-v2, weight: 0}
`),
}

const locked = `# meshc.lock v1
absent service store/store-v2
account buyer/buyer
namespace store label=meshc.dev/mesh:books
role store/v1 service=store/store service=store/store-v1
service legacy/old account=legacy/old port=80,name=http
service store/db account=store/db port=5432,app=tcp
service store/store account=store/v1 port=80,name=http,target=8080 port=81,name=http-alt,target=8080
service store/store-v1 account=store/v1 port=80,name=http,target=8080 port=81,name=http-alt,target=8080
`

// application is the repository of the namespace store, as it was locked.
const application = `apiVersion: v1
kind: Namespace
metadata: {name: store, labels: {meshc.dev/mesh: books}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: v1, namespace: store}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: v1, namespace: store}
spec:
  replicas: 2
  selector: {matchLabels: {app: v1}}
  template:
    metadata: {labels: {app: v1, all: "1"}}
    spec:
      serviceAccountName: v1
      containers: [{name: app, image: store}]
---
apiVersion: v1
kind: Service
metadata: {name: store, namespace: store}
spec:
  selector: {all: "1"}
  ports:
  - {name: http, port: 80, targetPort: 8080}
  - {name: http-alt, port: 81, targetPort: 8080}
---
apiVersion: v1
kind: Service
metadata: {name: store-v1, namespace: store}
spec:
  selector: {app: v1}
  ports: [{name: http, port: 80, targetPort: 8080}, {name: http-alt, port: 81, targetPort: 8080}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: store}
spec:
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      serviceAccountName: db
      containers: [{name: app, image: postgres}]
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: store}
spec:
  selector: {app: db}
  ports: [{appProtocol: tcp, port: 5432}]
`

// contracts are what the policy relies on.
func contracts(t *testing.T, files map[string][]byte, lock string) []*contract.Contract {
	t.Helper()
	tree := source.FromMap(files)
	parsed, found := syntax.Parse(tree)
	known, faults := resolve.ParseLock("meshc.lock", []byte(lock))
	mesh, inventory, used, more := resolve.Mesh(parsed, known, resolve.Options{})
	for _, f := range slices.Concat(found, faults, more) {
		if f.Severity == diag.Error {
			t.Fatalf("%s: %s %s", f.At(), f.Code, f.Message)
		}
	}
	return contract.Of(contract.Policy{
		Files: parsed, Mesh: mesh, Known: append(used.Facts, parsed.Config.Assume...), Labels: contract.Labels(inventory),
		File: func(name string) string { return "policy/" + name },
	})
}

// reread takes contracts through their files, as an application gets them.
func reread(t *testing.T, list []*contract.Contract) []*contract.Contract {
	t.Helper()
	files := map[string][]byte{}
	for _, c := range list {
		files[c.Namespace+".yaml"] = contract.Print(c)
	}
	parsed, found := syntax.Parse(source.FromMap(files))
	out, faults := contract.Read(parsed)
	if found.Add(faults...); len(found) > 0 {
		t.Fatalf("a contract that was written cannot be read: %v", found)
	}
	return out
}

func shown(t *testing.T, text string) contract.Application {
	t.Helper()
	files, found := syntax.Parse(source.FromMap(map[string][]byte{"app.yaml": []byte(text)}))
	if found.HasErrors() {
		t.Fatal(found)
	}
	mesh, inventory, _, _ := resolve.Mesh(files, ir.Known{}, resolve.Options{})
	return contract.Application{Files: files, Mesh: mesh, Inventory: inventory}
}

// told is a finding in a line: severity, code, the text it points at.
func told(text string, f diag.Finding) string {
	at := f.At()
	if at.File != "app.yaml" {
		return fmt.Sprintf("%s %s %s", f.Severity, f.Code, at)
	}
	line := []rune(strings.Split(text, "\n")[at.Line-1])
	end := len(line)
	if at.EndLine == at.Line {
		end = at.EndCol - 1
	}
	return fmt.Sprintf("%s %s %s", f.Severity, f.Code, string(line[at.Col-1:end]))
}

func TestContractSaysWhoRelies(t *testing.T) {
	list := contracts(t, policy, locked)
	var names []string
	for _, c := range list {
		names = append(names, c.Namespace)
	}
	if got := strings.Join(names, " "); got != "buyer legacy store" {
		t.Fatalf("contracts of %s", got)
	}
	text := string(contract.Print(list[2]))
	for _, want := range []string{
		`- fact: "port store/store:80 http target=8080"`,
		`{line: "policy/access.yaml:9", object: "TrafficTarget/store/buyers", effect: "buyer/buyer may call store/store:80 (list)"}`,
		`{line: "policy/split.yaml:5", object: "TrafficSplit/store/canary", effect: "calls to store/store are split"}`,
		`- fact: "absent service store/store-v2"`,
		`- fact: "opened store/db tcp:5432"`,
		`- fact: "opened store/v1 http"`,
		`- fact: "namespace store meshc.dev/mesh=books"`,
		`{line: "policy/access.yaml:34", object: "TrafficTarget/store/database", effect: "store/v1 may call store/db:5432"}`,
		"  complete: true\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the contract lacks %s", want)
		}
	}
	if legacy := string(contract.Print(list[1])); !strings.Contains(legacy, `{line: "policy/meshc.yaml:4", object: "Mesh/books"`) {
		t.Errorf("a permissive namespace relies on nothing:\n%s", legacy)
	}
	if t.Failed() {
		t.Log(text)
	}
}

// Whatever the lock pins is in a contract: else its change would be seen by nobody.
func TestContractsHoldWhatTheLockPins(t *testing.T) {
	var all strings.Builder
	for _, c := range contracts(t, policy, locked) {
		all.Write(contract.Print(c))
	}
	for line := range strings.Lines(locked) {
		words := strings.Fields(line)
		if words[0] == "#" {
			continue
		}
		if about := strings.Join(words[:2], " "); !strings.Contains(all.String(), about) {
			t.Errorf("no contract holds %q", about)
		}
		for _, w := range words[2:] {
			if account, ok := strings.CutPrefix(w, "account="); ok && !strings.Contains(all.String(), "behind "+words[1]+" "+account) {
				t.Errorf("no contract holds %q of %s", w, words[1])
			}
			if port, ok := strings.CutPrefix(w, "port="); ok && !strings.Contains(all.String(), "port "+words[1]+":"+strings.Split(port, ",")[0]) {
				t.Errorf("no contract holds %q of %s", w, words[1])
			}
		}
	}
}

func TestEqualPoliciesHaveEqualContracts(t *testing.T) {
	one := contracts(t, policy, locked)
	lines := strings.Split(strings.TrimSpace(locked), "\n")[1:]
	slices.Reverse(lines)
	two := contracts(t, policy, "# meshc.lock v1\n"+strings.Join(lines, "\n")+"\n")
	for i := range one {
		if !bytes.Equal(contract.Print(one[i]), contract.Print(two[i])) {
			t.Errorf("another order of the lock's lines gives another contract of %s", one[i].Namespace)
		}
		if again := reread(t, one); !bytes.Equal(contract.Print(one[i]), contract.Print(again[i])) {
			t.Errorf("what is read is not what was written, of %s", one[i].Namespace)
		}
	}
}
